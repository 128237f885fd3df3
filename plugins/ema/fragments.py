# @fill train.start
average = {name: t.detach().float().clone() for name, t in model.state_dict().items()}


# @fill train.after_step
with torch.no_grad():
    for name, t in model.state_dict().items():
        average[name].mul_(h.ema_decay).add_(t.float(), alpha=1 - h.ema_decay)


# @fill weights.final
log(h, "ema:applying EMA weights")
weights = model.state_dict()
model.load_state_dict({name: t.to(weights[name].dtype) for name, t in average.items()})
# @scope h, model, with averaged weights, forward, validation
# @slot weights.averaged
score(h, "pre-quantization post-ema", evaluate, model, forward, validation)
