# @fill init.after
self.repeat_mlp = nn.ModuleList([MLP(h, layer) for layer in h.repeat_untie_mlp_layers])
for p in self.repeat_mlp.parameters():
    p.requires_grad_(False)  # until it is used


# @fill layers.loop_begins
for layer, mlp in zip(self.h.repeat_untie_mlp_layers, self.repeat_mlp):
    mlp.load_state_dict(self.blocks[layer].mlp.state_dict())
    mlp.requires_grad_(True)


# @fill layers.before_block
own = self.h.repeat_untie_mlp_layers
if layer in own and layer in (encoder + decoder)[:position]:  # the layer has run before
    mlp = self.repeat_mlp[own.index(layer)]


# @fill main.setup
if not {*h.repeat_untie_mlp_layers} <= {*range(h.num_layers)}:
    stop(f"REPEAT_UNTIE_MLP_LAYERS={h.repeat_untie_mlp_layers}: {h.num_layers} layers are there")
