# @fill train.start
total, checkpoints = {}, 0


# @fill train.after_step
if scale < h.swa_start_frac and step % h.swa_every == 0:
    for name, t in model.state_dict().items():
        total[name] = total[name] + t.float() if name in total else t.detach().float().clone()
    checkpoints += 1
    if checkpoints == 1:
        log(h, f"swa:start step:{step}")


# @fill weights.final
if checkpoints > 1:
    log(h, f"swa:applying averaged {checkpoints} checkpoints")
    weights = model.state_dict()
    model.load_state_dict({n: (t / checkpoints).to(weights[n].dtype) for n, t in total.items()})
    # @scope h, model, with averaged weights, forward, validation
    # @slot weights.averaged
    # @if score
    score(h, "pre-quantization post-swa", evaluate, model, forward, validation)
    # @endif
