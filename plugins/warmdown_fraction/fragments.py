# @replace schedule.lr
if h.warmdown_frac <= 0:
    return 1.0
left = 1 - fraction_done(h, step, elapsed, cap)
return min(1.0, max(left / h.warmdown_frac, h.min_lr))
