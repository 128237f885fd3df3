"""Code made and run on the way: what it can reach keeps its name."""

import math

offset_value = 10
table_of_names = {}


def make_function(function_name, expression):
    source_text = f"def {function_name}(argument): return {expression} + offset_value"
    exec(source_text, globals())
    return globals()[function_name]


def local_values(first_number, second_number):
    total_sum = first_number + second_number
    return "{first_number} {second_number} {total_sum}".format(**locals())


def unrelated(long_parameter_name, another_parameter):
    intermediate_value = long_parameter_name * another_parameter
    return math.sqrt(intermediate_value)


if __name__ == "__main__":
    print(make_function("doubled", "2 * argument")(4))
    print(local_values(1, 2), unrelated(2, 8), eval("offset_value + 1"))
    exec("table_of_names['a'] = offset_value")
    print(table_of_names, sorted(name for name in globals() if name.endswith("_value")))
