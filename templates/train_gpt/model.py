# -----------------------------------------------------------------------------
# Model


# @scope nothing of the model yet; classes and functions of a technique's own
# @slot modules


def rms_norm(x: Tensor) -> Tensor:
    # autocast on CUDA would hand the stream on in float32
    return F.rms_norm(x, (x.size(-1),)).to(x.dtype)


class CastedLinear(nn.Linear):
    """A matrix kept in float32 for its optimizer and cast to the activations' type for use."""

    def __init__(self, inputs: int, outputs: int, zero_init: bool = False):
        super().__init__(inputs, outputs, bias=False)
        self.zero_init = zero_init
        # @scope self, inputs, outputs
        # @slot linear.init

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight.to(x.dtype)
        # @scope self, x (..., in), w (out, in): rewrite w
        # @slot linear.weight
        # @scope self, x (..., in), w (out, in): rewrite x
        # @slot linear.input
        y = F.linear(x, w)
        # @scope self, x (..., in), y (..., out): rewrite y
        # @slot linear.output
        return y


# @scope h, T, the most positions; returns cos, sin (T, 1, d / 2), float32, for d dimensions
# @part rotary.tables
def rotary_tables(h: Hyperparameters, T: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of every position times every frequency (RoPE, arXiv:2104.09864)."""
    # @scope h; assign d, how many dimensions of a head are rotated
    # @part rotary.dims
    d = h.model_dim // h.num_heads
    # @endpart
    base, rounded = h.rope_base, h.rope_bf16_tables and h.precision == "bf16"
    # @scope h, T, d, base, rounded (positions and frequencies, to bfloat16): rewrite base, rounded
    # @slot rotary.base
    frequency = base ** (-torch.arange(0, d, 2, dtype=torch.float32) / d)
    position = torch.arange(T, dtype=torch.float32)
    if rounded:
        # positions above 256 collapse onto their neighbours: the public baseline ran like this
        frequency, position = frequency.bfloat16().float(), position.bfloat16().float()
    angle = torch.outer(position, frequency)[:, None]
    return angle.cos(), angle.sin()


# @endpart


# @scope x (B, T, heads, d), cos and sin from rotary.tables; returns x rotated
# @part rotary.apply
def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x[i], x[i + d/2]) of each head by the angles of their position."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos + b * sin, b * cos - a * sin), dim=-1)


# @endpart


class CausalSelfAttention(nn.Module):
    def __init__(self, h: Hyperparameters, layer: int):
        super().__init__()
        self.num_heads, self.num_kv_heads = h.num_heads, h.num_kv_heads
        kv_dim = h.num_kv_heads * (h.model_dim // h.num_heads)
        self.c_q = CastedLinear(h.model_dim, h.model_dim)
        self.c_k = CastedLinear(h.model_dim, kv_dim)
        self.c_v = CastedLinear(h.model_dim, kv_dim)
        self.proj = CastedLinear(h.model_dim, h.model_dim, zero_init=True)
        self.q_gain = nn.Parameter(torch.full((h.num_heads,), h.qk_gain_init))
        # @scope self, h, layer
        # @slot attention.init

    # @scope the class body
    # @slot attention.methods

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        B, T, D = x.shape
        q = self.c_q(x).view(B, T, self.num_heads, -1)
        k = self.c_k(x).view(B, T, self.num_kv_heads, -1)
        v = self.c_v(x).view(B, T, self.num_kv_heads, -1)
        # @scope self, x (B, T, D), q (B, T, H, d), k and v (B, T, K, d): rewrite q, k, v
        # @slot attention.values
        q, k = rotate(rms_norm(q), cos, sin), rotate(rms_norm(k), cos, sin)
        q = q * self.q_gain.to(q.dtype)[:, None]
        # @scope self, q (B, T, H, d), k and v (B, T, K, d) as attention reads them: rewrite them
        # @slot attention.before
        # @scope self, q (B, T, H, d), k and v (B, T, K, d); assign y (B, T, H, d)
        # @part attention.kernel
        y = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            is_causal=True,
            enable_gqa=self.num_kv_heads != self.num_heads,
        ).transpose(1, 2)
        # @endpart
        # @scope self, x (B, T, D), v (B, T, K, d), y (B, T, H, d): rewrite y
        # @slot attention.after
        out = self.proj(y.reshape(B, T, D))
        # @scope self, x (B, T, D), out (B, T, D): rewrite out
        # @slot attention.output
        return out


class MLP(nn.Module):
    def __init__(self, h: Hyperparameters, layer: int):
        super().__init__()
        hidden = h.mlp_hidden or int(h.mlp_mult * h.model_dim)
        self.fc = CastedLinear(h.model_dim, hidden)
        self.proj = CastedLinear(hidden, h.model_dim, zero_init=True)
        # @scope self, h, layer
        # @slot mlp.init

    def forward(self, x: Tensor) -> Tensor:
        # @scope self, x (B, T, D); assign hidden (B, T, mlp_mult * D)
        # @part mlp.hidden
        hidden = F.relu(self.fc(x)).square()
        # @endpart
        out = self.proj(hidden)
        # @scope self, x (B, T, D), out (B, T, D): rewrite out
        # @slot mlp.output
        return out


class Block(nn.Module):
    def __init__(self, h: Hyperparameters, layer: int):
        super().__init__()
        self.attn = CausalSelfAttention(h, layer)
        self.mlp = MLP(h, layer)
        ones = torch.ones(h.model_dim)
        self.attn_scale = nn.Parameter(ones.clone())
        self.mlp_scale = nn.Parameter(ones.clone())
        self.resid_mix = nn.Parameter(torch.stack((ones, 0 * ones)))  # of the stream, of x0
        # @scope self, h, layer
        # @slot block.init

    def norm(self, x: Tensor) -> Tensor:
        """What a branch reads of the stream."""
        x = rms_norm(x)
        # @scope self, x (B, T, D), normalised: rewrite x
        # @slot block.norm
        return x

    def mix(self, x: Tensor, x0: Tensor) -> Tensor:
        """The stream and the first hidden state, each in its learned share."""
        of_x, of_x0 = self.resid_mix.to(x.dtype).unbind()
        x = of_x * x + of_x0 * x0
        # @scope self, x and x0 (B, T, D): rewrite x
        # @slot block.input
        return x

    def attend(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """What attention, having read x, adds to a stream."""
        return self.attn_scale.to(x.dtype) * self.attn(self.norm(x), cos, sin)

    def feed(self, x: Tensor, mlp: MLP | None = None) -> Tensor:
        """What the MLP, its own unless another is given, adds to a stream, having read x."""
        return self.mlp_scale.to(x.dtype) * (mlp or self.mlp)(self.norm(x))

    def forward(self, x: Tensor, x0: Tensor, cos: Tensor, sin: Tensor, mlp=None) -> Tensor:
        x = self.mix(x, x0)
        # @scope self, x and x0 (B, T, D), cos, sin, mlp (another than its own, or None): rewrite x
        # @part block.residual
        x = x + self.attend(x, cos, sin)
        x = x + self.feed(x, mlp)
        # @endpart
        return x


class GPT(nn.Module):
    """A transformer whose second half reads the first half's outputs, last first (U-Net)."""

    def __init__(self, h: Hyperparameters):
        super().__init__()
        self.h = h
        self.tok_emb = nn.Embedding(h.vocab_size, h.model_dim)
        # @scope self, h; nothing but the token embedding is there
        # @slot embed.init
        # @scope self, h; the skips are counted next, from self.plan()
        # @slot layers.init
        self.skip_weights = nn.Parameter(torch.ones(min(map(len, self.plan())), h.model_dim))
        # @scope self, h, self.skip_weights (skips, D)
        # @slot layers.skip_init
        self.blocks = nn.ModuleList([Block(h, layer) for layer in range(h.num_layers)])
        if not h.tie_embeddings:
            self.lm_head = CastedLinear(h.model_dim, h.vocab_size, zero_init=True)
        # @scope self, h; blocks and head are there
        # @slot head.init
        # made here, once: a compiler that fused them into the model would round them differently
        # @scope self, h; register the rotary tables that rotary.of_length reads as buffers
        # @part rotary.buffers
        longest = max(h.train_seq_len, h.eval_seq_len)
        for name, table in zip(("cos", "sin"), rotary_tables(h, longest)):
            self.register_buffer(name, table, persistent=False)
        # @endpart
        self.init_weights()

    @torch.no_grad()
    def init_weights(self) -> None:
        """Output projections start at zero, other matrices uniform in +-1/sqrt(inputs)."""
        h = self.h
        if h.tie_embeddings:
            self.tok_emb.weight.normal_(std=h.tied_embed_init_std)
        for module in self.modules():
            if isinstance(module, CastedLinear):
                # @scope self, h, module, a CastedLinear as nn.Linear left it
                # @part init.matrix
                if module.zero_init:
                    module.weight.zero_()
                # @endpart
        # @scope self, h
        # @slot init.after

    # @scope the class body
    # @slot layers.methods

    def plan(self) -> tuple[list[int], list[int]]:
        """Layer numbers in the order they run, first the encoder's, then the decoder's."""
        h = self.h
        # @scope self, h; assign layers, layer numbers in the order they run
        # @part layers.order
        layers = list(range(h.num_layers))
        # @endpart
        return layers[: len(layers) // 2], layers[len(layers) // 2 :]

    def trunk(self, ids: Tensor) -> Tensor:
        """Token ids (B, T) to the last hidden state (B, T, D)."""
        x = self.tok_emb(ids)
        # @scope self, ids (B, T), x (B, T, D): rewrite x
        # @slot embed.tokens
        # @scope self, ids (B, T), x (B, T, D): add to x what else is embedded, or rewrite the sum
        # @slot embed.added
        x = rms_norm(x)
        # @scope self, ids (B, T), x (B, T, D): rewrite x, which is x0 from here on
        # @slot embed.normed
        # @scope self, ids (B, T), x (B, T, D); assign cos, sin (T, 1, d / 2) in the type of x
        # @part rotary.of_length
        cos, sin = (table[: ids.size(1)].to(x.dtype) for table in (self.cos, self.sin))
        # @endpart
        skip_weights = self.skip_weights.to(x.dtype).unbind()
        # @scope self, x (B, T, D), skip_weights, one (D,) of each skip: what all layers read
        # @slot layers.start
        x0, skips = x, []
        encoder, decoder = self.plan()
        for position, layer in enumerate(encoder + decoder):
            step = row = position - len(encoder)  # of the decoder; negative in the encoder
            # @scope self, x (B, T, D), skip_weights, step, row: rewrite x, or row, the weights' row
            # @slot layers.before_skip
            if 0 <= row < len(skip_weights) and skips:
                skip = skips.pop()
                # @scope self, x and skip (B, T, D), row: rewrite x
                # @part layers.skip
                x = x + skip_weights[row] * skip
                # @endpart
            mlp = None
            # @scope self, x and x0 (B, T, D), layer, position, step: rewrite x; assign mlp, another
            # @slot layers.before_block
            # @scope self, x and x0 (B, T, D), layer, step, cos, sin, mlp: rewrite x
            # @part layers.block
            x = self.blocks[layer](x, x0, cos, sin, mlp)
            # @endpart
            # @scope self, x and x0 (B, T, D), layer, position, step: rewrite x
            # @slot layers.after_block
            if step < 0:
                skips.append(x)
        # @scope self, x and x0 (B, T, D): rewrite x
        # @slot final.hidden
        return rms_norm(x)

    def head(self, x: Tensor) -> Tensor:
        """The last hidden state (B, T, D) to logits (B, T, V)."""
        h = self.h
        if h.tie_embeddings:
            logits = F.linear(x, self.tok_emb.weight.to(x.dtype))
        else:
            logits = self.lm_head(x)
        # @scope self, h, x (B, T, D), logits (B, T, V) before the softcap: rewrite logits
        # @slot head.projected
        # @scope self, h, x (B, T, D), logits (B, T, V): rewrite logits
        # @part head.softcap
        logits = h.logit_softcap * torch.tanh(logits / h.logit_softcap)
        # @endpart
        return logits

    def token_losses(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of each token, nats (B, T), from logits (B, T, V)."""
        # @scope self, logits (B, T, V), targets (B, T); assign loss (B, T), nats
        # @part loss.tokens
        loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
        loss = loss.view_as(targets)
        # @endpart
        # @scope self, logits (B, T, V), targets and loss (B, T): rewrite loss; mind self.training
        # @slot loss.terms
        return loss

    def forward(self, ids: Tensor, targets: Tensor) -> Tensor:
        """Loss of each token, nats (B, T)."""
        return self.token_losses(self.head(self.trunk(ids)), targets)


def make_model(h: Hyperparameters) -> GPT:
    """A fresh model on its device: embeddings and their moments in bfloat16, all else float32."""
    model = GPT(h).to(h.device)
    if h.precision == "bf16":
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                module.bfloat16()
    # @scope h, model, freshly initialised
    # @slot model.ready
    return model


def parameter_kinds(model: GPT) -> dict[str, str]:
    """What each parameter is, by the module that owns it: embedding, head, matrix or scalar."""
    kinds = {}
    for module_name, module in model.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            full = f"{module_name}.{name}" if module_name else name
            if isinstance(module, nn.Embedding):
                kinds[full] = "embedding"
            elif isinstance(module, CastedLinear):
                kinds[full] = "head" if module_name == "lm_head" else "matrix"
            else:
                kinds[full] = "scalar"
    # @scope model, kinds (name -> embedding, head, matrix or scalar): rewrite it
    # @slot model.kinds
    return kinds


def autocast(h: Hyperparameters) -> torch.autocast:
    return torch.autocast(h.device.type, torch.bfloat16, enabled=h.precision == "bf16")


def compiled(h: Hyperparameters, function):
    """`function` through torch.compile: on CUDA unless TORCH_COMPILE=0, on a CPU if it is 1."""
    wanted = h.torch_compile == "1" or (h.torch_compile == "auto" and h.device.type == "cuda")
    return torch.compile(function, dynamic=False, fullgraph=True) if wanted else function
