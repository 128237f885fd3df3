from functools import cache
@cache
def foreign_names():
    return frozenset(open('/tmp/w/foreign.txt').read().split())
