# @fill layers.init if "repeat" in form
self.looping = False  # there is a skip weight for every skip of the plan without repeats


# @fill layers.init if "repeat" not in form
self.looping = h.num_loops  # there is a skip weight for every skip of the longest plan


# @fill layers.skip_init if "repeat" not in form
self.looping = False


# @fill layers.methods
def begin_looping(self) -> None:
    """From here on some layers run more than once."""
    self.looping = True
    # @scope self, before any layer runs again
    # @slot layers.loop_begins


# @replace layers.order
layers = list(range(h.num_layers))
if self.looping:
    # @if "repeat" in form
    after = h.recur_layers[-1] + 1
    layers[after:after] = h.recur_layers
    # @else
    stretch = layers[h.loop_start : h.loop_end + 1]
    # @if form == "progressive"
    passes = self.looping + 1  # True counts as 1
    # @else
    passes = h.num_loops + 1
    # @endif
    layers[h.loop_start : h.loop_end + 1] = stretch * passes
    # @endif


# @fill layers.before_skip if form == "repeat_last_skip"
row = min(row, len(skip_weights) - 1)


# @fill warmup.variants
model.begin_looping()
# @if form == "progressive"
phases = (1, h.num_loops)
# @else
phases = (True,)
# @endif
for looping in phases:
    model.looping = looping
    for step in range(1, h.warmup_steps + 1):
        backward(h, model, forward, loader)
        update(optimizers)
        log(h, f"loop_warmup_step:{step}/{h.warmup_steps}")
model.looping = False


# @fill schedule.step
# quantised and scored as training ended: with loops if they ever began
# @if "repeat" in form
begins = step >= h.recur_start_step
# @else
done = fraction_done(h, step, elapsed, cap)
begins = done >= h.enable_looping_at
# @endif
if begins and not model.looping:
    model.begin_looping()
    log(h, f"layer_loop:enabled step:{step} plan:{model.plan()}")
# @if form == "progressive"
if model.looping and model.looping < h.num_loops and done >= h.loop_phase2_at:
    model.looping = h.num_loops
    log(h, f"layer_loop:phase2 step:{step} plan:{model.plan()}")
# @endif


# @fill main.setup if "repeat" in form
again = h.recur_layers
if not again or list(again) != sorted({*again}) or again[-1] >= h.num_layers:
    stop(f"RECUR_LAYERS={again} are to be layers below NUM_LAYERS={h.num_layers}, in order")


# @fill main.setup if "repeat" not in form
if not h.loop_start <= h.loop_end < h.num_layers:
    stop(f"LOOP_START={h.loop_start}, LOOP_END={h.loop_end}: no such stretch of layers")
# @if form == "progressive"
if h.num_loops < 1 or h.loop_phase2_at < h.enable_looping_at:
    stop("LOOP_PHASE2_AT comes after ENABLE_LOOPING_AT, and NUM_LOOPS is at least 1")
# @endif
