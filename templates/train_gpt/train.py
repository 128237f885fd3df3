# -----------------------------------------------------------------------------
# Train


def synchronize(h: Hyperparameters) -> None:
    if h.device.type == "cuda":
        torch.cuda.synchronize()


class Clock:
    """Milliseconds of training; stands still while something else is measured."""

    def __init__(self, h: Hyperparameters):
        self.h, self.before = h, 0.0
        self.resume()

    def resume(self) -> None:
        synchronize(self.h)
        self.started = time.perf_counter()

    def pause(self) -> float:
        synchronize(self.h)
        self.before = self.elapsed()
        return self.before

    def elapsed(self) -> float:
        return self.before + 1000 * (time.perf_counter() - self.started)


def fraction_done(h: Hyperparameters, step: int, elapsed: float, cap: float) -> float:
    """Of training, from 0 to 1: by time where there is a cap, else by steps."""
    return elapsed / cap if cap < math.inf else step / max(h.iterations, 1)


def lr_scale(h: Hyperparameters, step: int, elapsed: float, cap: float) -> float:
    """What rates are multiplied by at this step, `elapsed` of `cap` ms into training."""
    # @scope h, step, elapsed and cap (ms; cap may be infinite); return the multiplier
    # @part schedule.lr
    if h.warmdown_iters <= 0:
        return 1.0
    if cap == math.inf:
        return min(1.0, max(0.0, (h.iterations - step) / h.warmdown_iters))
    # the last warmdown_iters steps, told by the time they are going to take
    warmdown = h.warmdown_iters * elapsed / max(step, 1)
    remaining = max(0.0, cap - elapsed)
    return remaining / warmdown if remaining <= warmdown else 1.0
    # @endpart


def muon_momentum(h: Hyperparameters, step: int) -> float:
    """From muon_momentum_warmup_start to muon_momentum in a straight line."""
    done = min(1.0, step / max(h.muon_momentum_warmup_steps, 1e-9))
    return (1 - done) * h.muon_momentum_warmup_start + done * h.muon_momentum


def average_gradients(h: Hyperparameters, model: GPT) -> None:
    """The mean over processes, one all-reduce per type."""
    if h.world_size > 1:
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        for dtype in dict.fromkeys(grad.dtype for grad in grads):
            same = [grad for grad in grads if grad.dtype == dtype]
            flat = torch.cat([grad.flatten() for grad in same])
            dist.all_reduce(flat)
            flat /= h.world_size
            for grad, mean in zip(same, flat.split([g.numel() for g in same])):
                grad.copy_(mean.view_as(grad))


def backward(h: Hyperparameters, model: GPT, forward, loader: Loader) -> Tensor:
    """Gradients of one step's micro-batches, averaged over processes; returns their mean loss."""
    model.train()
    total = torch.zeros((), device=h.device)
    for micro_step in range(h.grad_accum_steps):
        ids, targets = loader.next_batch()
        with autocast(h):
            loss = forward(ids, targets).mean()
        # @scope h, model, ids and targets (B, T), loss (), micro_step: rewrite loss
        # @slot train.micro
        (loss / h.grad_accum_steps).backward()
        total += loss.detach() / h.grad_accum_steps
    # @scope h, model with gradients of this process's micro-batches: average them in place
    # @part train.average_gradients
    average_gradients(h, model)
    # @endpart
    return total


def mean_over_processes(h: Hyperparameters, value: Tensor) -> float:
    total = value.clone()
    if h.world_size > 1:
        dist.all_reduce(total)
    return total.item() / h.world_size


def latest(h: Hyperparameters, elapsed: float) -> float:
    """The time of the slowest process, so that all of them keep to one schedule."""
    if h.world_size == 1:
        return elapsed
    most = torch.tensor(elapsed, dtype=torch.float64, device=h.device)
    dist.all_reduce(most, op=dist.ReduceOp.MAX)
    return most.item()


def update(optimizers: list[torch.optim.Optimizer]) -> None:
    # @scope optimizers, with gradients as they were averaged: step all of them
    # @part train.update
    for optimizer in optimizers:
        optimizer.step()
    # @endpart
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)


def adapt(
    h: Hyperparameters, stage: str, optimizer, loss: Tensor, clip: float = 0, average=None
) -> None:
    """One test-time update that lowers loss (); `average`: the model whose gradients are to be."""
    loss.backward()
    if average is not None:
        average_gradients(h, average)
    if clip > 0:
        params = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(params, clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    # @scope h, stage, optimizer, loss () of this process
    # @slot adapt.after_step


def adapt_to_rows(
    h: Hyperparameters,
    stage: str,
    forward,
    optimizer,
    tokens: Tensor,
    rows: range,
    batch: int,
    clip: float = 0,
    average=None,
) -> None:
    """One pass of updates over these rows of eval_seq_len tokens, `batch` of them at a time."""
    T, batch = h.eval_seq_len, min(batch, max(1, len(rows)))
    for row in range(rows.start, rows.stop, batch):
        filled = min(batch, rows.stop - row)
        stretch = tokens[row * T : (row + filled) * T + 1].to(h.device)
        # the last batch may be short: filled up, it is compiled with the others
        stretch = F.pad(stretch, (0, (batch - filled) * T))
        ids, targets = stretch[:-1].view(-1, T), stretch[1:].view(-1, T)
        with autocast(h):
            loss = forward(ids, targets)[:filled].mean()
        adapt(h, stage, optimizer, loss, clip, average)


def warm_up(h: Hyperparameters, model: GPT, forward, optimizers: list) -> None:
    """Compile everything the clock must not see, by real steps that are then undone."""
    if h.warmup_steps <= 0:
        return
    weights = {name: t.detach().cpu().clone() for name, t in model.state_dict().items()}
    states = [copy.deepcopy(optimizer.state_dict()) for optimizer in optimizers]
    loader = Loader(h)
    for step in range(1, h.warmup_steps + 1):
        backward(h, model, forward, loader)
        update(optimizers)
        if h.warmup_steps <= 20 or step % 10 == 0 or step == h.warmup_steps:
            log(h, f"warmup_step:{step}/{h.warmup_steps}")
    # @scope h, model, forward, optimizers, loader: run what else training will compile
    # @slot warmup.variants
    model.load_state_dict(weights, strict=True)
    for optimizer, state in zip(optimizers, states):
        optimizer.load_state_dict(state)


def train(h: Hyperparameters, model: GPT, forward, validation: Validation) -> None:
    """Steps until ITERATIONS or the wall clock's cap, validating on the way and at the end."""
    optimizers = make_optimizers(h, model)
    # @scope h, model, forward, optimizers: before the clock, nothing has trained
    # @slot train.start
    warm_up(h, model, forward, optimizers)
    loader = Loader(h)
    cap = 1000 * h.max_wallclock_seconds if h.max_wallclock_seconds > 0 else math.inf
    # @scope h, model, forward, optimizers, loader, cap (ms): rewrite cap; the clock starts next
    # @slot train.before_clock
    step, elapsed, clock = 0, 0.0, Clock(h)  # elapsed: ms of training, alike in all processes
    while True:
        last = step == h.iterations or elapsed >= cap
        if last or (h.val_loss_every > 0 and step % h.val_loss_every == 0):
            clock.pause()
            # @scope h, model, step; the training clock stands still
            # @slot train.before_validation
            val_loss, val_bpb = evaluate(h, forward, validation)
            log(
                h,
                f"step:{step}/{h.iterations} val_loss:{val_loss:.4f} val_bpb:{val_bpb:.4f} "
                f"train_time:{elapsed:.0f}ms step_avg:{elapsed / max(step, 1):.2f}ms",
            )
            # @scope h, model, step, val_loss (nats per token), val_bpb
            # @slot train.validated
            clock.resume()
        if last:
            break
        # @scope h, model, optimizers, step, elapsed and cap (ms): what changes between steps
        # @slot schedule.step
        scale, momentum = lr_scale(h, step, elapsed, cap), muon_momentum(h, step)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * scale
                if isinstance(optimizer, Muon):
                    group["momentum"] = momentum
        loss = backward(h, model, forward, loader)
        # @scope h, model, optimizers, step, scale, loss (): gradients averaged: rewrite them
        # @slot train.gradients
        if h.grad_clip_norm > 0:
            nn.utils.clip_grad_norm_(model.parameters(), h.grad_clip_norm)
        update(optimizers)
        step += 1
        # @scope h, model, optimizers, step (now counting this one), scale, loss () of this process
        # @slot train.after_step
        elapsed = latest(h, clock.elapsed()) if cap < math.inf else clock.elapsed()
        capped = elapsed >= cap
        if h.train_log_every > 0 and (step <= 10 or step % h.train_log_every == 0 or capped):
            train_loss = mean_over_processes(h, loss)
            log(
                h,
                f"step:{step}/{h.iterations} train_loss:{train_loss:.4f} "
                f"train_time:{elapsed:.0f}ms step_avg:{elapsed / step:.2f}ms",
            )
        if capped:
            log(
                h,
                f"stopping_early: wallclock_cap train_time:{elapsed:.0f}ms "
                f"step:{step}/{h.iterations}",
            )
    if h.device.type == "cuda":
        log(
            h,
            f"peak memory allocated: {torch.cuda.max_memory_allocated() >> 20} MiB "
            f"reserved: {torch.cuda.max_memory_reserved() >> 20} MiB",
        )
    # @scope h, model, forward, optimizers, validation, step: after the last step
    # @slot train.end
    # @scope h, model, forward, optimizers, validation, step: put other weights into the model
    # @slot weights.final
