# @fill rotary.base
if h.rope_train_seq_len < T:
    # the first frequency stays, the last is slowed by T / rope_train_seq_len
    base *= (T / h.rope_train_seq_len) ** (d / (d - 2))
    rounded = False  # public scripts make the tables of longer sequences in float32


# @replace rotary.buffers
# the base depends on the length: a table for each that runs, and one for all that are short
for length in {h.rope_train_seq_len, h.train_seq_len, h.eval_seq_len}:
    for name, table in zip(("cos", "sin"), rotary_tables(h, length)):
        self.register_buffer(f"{name}_{length}", table, persistent=False)


# @replace rotary.of_length
T = ids.size(1)
length = max(T, self.h.rope_train_seq_len)
if hasattr(self, f"cos_{length}"):
    cos, sin = (getattr(self, f"{name}_{length}")[:T] for name in ("cos", "sin"))
else:  # windows that grow, which run eagerly
    cos, sin = rotary_tables(self.h, T)
cos, sin = cos.to(x), sin.to(x)


# @fill main.setup
if rotary_tables(h, 1)[0].size(-1) < 2:
    stop("NTK needs more than 2 rotated dimensions of a head: MODEL_DIM / NUM_HEADS, ROPE_DIMS")
