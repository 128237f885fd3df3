# @fill embed.init
self.backout_lambda = nn.Parameter(torch.tensor(h.backout_lambda_init))
self.backout_layer = h.num_layers // 2 if h.backout_layer < 0 else h.backout_layer


# @fill layers.after_block
if layer == self.backout_layer:
    middle = x


# @fill final.hidden
x = x - self.backout_lambda.to(x.dtype) * middle


# @fill main.setup
if h.backout_layer >= h.num_layers:
    stop(f"BACKOUT_LAYER={h.backout_layer} is none of {h.num_layers} layers")
