# @fill layers.init
self.looping = True  # there is a skip weight for every skip of the longest plan


# @fill layers.skip_init
self.looping = False


# @replace layers.order
layers = list(range(h.num_layers))
if self.looping:
    stretch = layers[h.loop_start : h.loop_end + 1]
    layers[h.loop_start : h.loop_end + 1] = stretch * (h.num_loops + 1)


# @fill warmup.variants
model.looping = True
for step in range(1, h.warmup_steps + 1):
    backward(h, model, forward, loader)
    update(optimizers)
    log(h, f"loop_warmup_step:{step}/{h.warmup_steps}")
model.looping = False


# @fill schedule.step
# quantised and scored as training ended: with loops if they ever began
if not model.looping and fraction_done(h, step, elapsed, cap) >= h.enable_looping_at:
    model.looping = True
    log(h, f"layer_loop:enabled step:{step} plan:{model.plan()}")


# @fill main.setup
if not h.loop_start <= h.loop_end < h.num_layers:
    stop(f"LOOP_START={h.loop_start}, LOOP_END={h.loop_end}: no such stretch of layers")
