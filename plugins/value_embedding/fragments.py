# @fill modules
class ValueEmbedding(nn.Module):
    """A narrow table of tokens, projected to the width of the values."""

    def __init__(self, h: Hyperparameters):
        super().__init__()
        self.embed = nn.Embedding(h.vocab_size, h.ve_dim)
        nn.init.normal_(self.embed.weight, std=0.01)
        self.proj = CastedLinear(h.ve_dim, h.num_kv_heads * (h.model_dim // h.num_heads))
        nn.init.zeros_(self.proj.weight)  # until orthogonal_init, if it is long enough for that
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, ids: Tensor) -> Tensor:
        out = self.proj(self.embed(ids))
        return self.scale.to(out.dtype) * out


# @fill head.init
self.ve_shared = ValueEmbedding(h)
self.ve_layer_scales = nn.ParameterList([nn.Parameter(torch.ones(1)) for _ in h.ve_layers])
self.ve_order = {layer % h.num_layers: n for n, layer in enumerate(h.ve_layers)}


# @fill layers.start
values = self.ve_shared(ids)  # (B, T, K * d)


# @fill layers.before_block
if layer in self.ve_order:
    scale = self.ve_layer_scales[self.ve_order[layer]].to(x.dtype)
    self.blocks[layer].attn.more_value = scale * values


# @fill attention.init
self.more_value = None  # put here before each call where there is any


# @fill attention.values
if self.more_value is not None:
    v = v + self.more_value.view_as(v)
    self.more_value = None


# @fill optimizer.kinds if proj_optimizer == "scalar"
kinds.update({"ve_shared.proj.weight": "scalar"})


# @fill main.setup
ve_layers = {n % h.num_layers for n in h.ve_layers if -h.num_layers <= n < h.num_layers}
if not ve_layers or len(ve_layers) < len(h.ve_layers):
    stop(f"VE_LAYERS={h.ve_layers}: none, one twice, or not one of {h.num_layers} layers")
