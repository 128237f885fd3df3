# @replace model.odds
def odds(h, counts, context):
    """The chance of each next byte: what a context leaves to shorter ones grows with its variety."""
    known = [1 / 256] * 256
    for start in range(len(context), -1, -1):
        seen = counts.get(context[start:])
        if seen:
            left = h.witten_bell_weight * len(seen)
            total = sum(seen.values()) + left
            known = [left / total * one for one in known]
            for byte, count in seen.items():
                known[byte] += count / total
    return known
