# @fill train.start
average = {name: t.detach().float().clone() for name, t in model.state_dict().items()}


# @fill train.after_step
with torch.no_grad():
    decay = h.ema_decay if step > h.ema_start_step else 0.0
    for name, t in model.state_dict().items():
        average[name].mul_(decay).add_(t.float(), alpha=1 - decay)


# @fill weights.final
log(h, "ema:applying EMA weights")
weights = model.state_dict()
model.load_state_dict({name: t.to(weights[name].dtype) for name, t in average.items()})
# @scope h, model, with averaged weights, forward, validation
# @slot weights.averaged
# @if score
score(h, "pre-quantization post-ema", evaluate, model, forward, validation)
# @endif
