import pytest
from conftest import technique

NOTE = '# @fill main.finish\nlog(h, "{0}")\n'


def named(name: str, declared: str = "") -> dict:
    return {name: technique(NOTE.format(name), declared)}


@pytest.fixture
def composes(tree, cli):
    """Compose a recipe of techniques of a test; the composed techniques in order."""
    import pgolf_compose

    def run(techniques: dict, recipe: str, **options):
        folder = tree({"mine": techniques, "x.yaml": f"plugins: [mine]\n{recipe}"})
        return pgolf_compose.compose(folder / "x.yaml", **options).composition

    return run


@pytest.fixture
def message(composes):
    """The error of a recipe that must not compose."""
    from pgolf_compose import ComposeError

    def run(*args, **options) -> str:
        with pytest.raises(ComposeError) as caught:
            composes(*args, **options)
        return str(caught.value)

    return run


def test_techniques_follow_what_they_declare_and_their_names_otherwise(composes):
    mine = (
        named("a", 'after=("c",)')
        | named("b")
        | named("c", 'after=("d", "not_composed")')
        | named("d")
        | named("e", 'before=("b",)')
    )
    composition = composes(mine, "techniques: {b: , a: , c: , e: , d: }")
    assert [one.name for one in composition.techniques] == ["d", "c", "a", "e", "b"]


def test_a_circle_of_declared_order_names_its_members(message):
    mine = named("a", 'after=("b",)') | named("b", 'after=("a",)') | named("c")
    assert message(mine, "techniques: {a: , b: , c: }") == (
        "a and b each declare to come after another of them; mend one"
    )


def test_every_value_knows_where_it_was_written(composes):
    mine = named("gate", 'hyperparameters=(Hyperparameter("width", 4, "of it"),)')
    composition = composes(
        mine, "techniques:\n  gate: {width: 5}\nsettings: {seed: 7}\n", set=["matrix_lr=0.02"]
    )
    written = {one.attribute: (one.value, str(one.where)) for one in composition.assignments}
    assert written["gate_width"] == (5, "x.yaml:3:17")
    assert written["seed"] == (7, "x.yaml:4:18")
    assert written["matrix_lr"] == (0.02, "--set matrix_lr=0.02")
    assert written["beta1"] == (0.9, "None")


def test_a_missing_technique_is_told_with_the_lines_to_paste(message):
    mine = named("tilt", 'requires={"cache": "it reads its counts"}') | named("cache")
    assert message(mine, "techniques:\n  tilt:\n") == (
        "x.yaml:3:3: tilt needs cache (it reads its counts); add it to the recipe:\n"
        "techniques:\n"
        "  cache:\n"
        "  tilt:"
    )


def test_a_conflict_tells_both_sides_the_reason_and_the_smallest_change(message):
    mine = (
        named("early", 'conflicts={"late": "both write the final weights"}')
        | named("late")
        | named("tail", 'requires={"late": "it weighs its checkpoints"}')
    )
    recipe = "techniques:\n  tail:\n  late:\n  early:\n"
    assert message(mine, recipe) == (
        "x.yaml:5:3: early (x.yaml:5:3) and late (x.yaml:4:3) exclude each other: both write the "
        "final weights; smallest change that composes: leave out early"
    )
    assert message(mine, "techniques:\n  late:\n  early:\n").endswith(
        "smallest change that composes: leave out early, or leave out late"
    )


GATE = named(
    "gate",
    """hyperparameters=(
        Hyperparameter("width", 4, "of it", minimum=1, maximum=8),
        Hyperparameter("scale", 0.5, "of it"),
        Hyperparameter("on", True, "or off"),
        Hyperparameter("kind", "a", "of it", choices=("a", "b")),
        Hyperparameter("layers", (9, 10), "of it"),
    )""",
)


@pytest.mark.parametrize(
    ("recipe", "error"),
    [
        ("techniques:\n  gat:\n", "x.yaml:3:3: gat is no technique. Did you mean gate?"),
        (
            "techniques:\n  zzz:\n",
            "x.yaml:3:3: zzz is no technique. `pgolf-compose list` shows those that are installed.",
        ),
        ("techniques: {gate: {widht: 4}}\n", "x.yaml:2:28: gate has no widht. Did you mean width?"),
        (
            "techniques: {gate: {GATE_WIDTH: 4}}\n",
            "x.yaml:2:33: gate has no GATE_WIDTH; a recipe writes it width",
        ),
        (
            "techniques: {gate: {matrix_lr: 4}}\n",
            "x.yaml:2:32: gate has no matrix_lr; matrix_lr stands under settings",
        ),
        (
            "techniques: {gate: {zzz: 4}}\n",
            "x.yaml:2:26: gate has no zzz; it has width, scale, on, kind and layers",
        ),
        (
            "settings: {width: 4}\n",
            "x.yaml:2:19: settings has no width; width stands under techniques: gate",
        ),
        (
            "techniques: {gate: {width: four}}\n",
            "x.yaml:2:28: gate.width is 'four'; it wants a whole number from 1 to 8",
        ),
        (
            "techniques: {gate: {width: 4.5}}\n",
            "x.yaml:2:28: gate.width is 4.5; it wants a whole number from 1 to 8",
        ),
        (
            "techniques: {gate: {width: 9}}\n",
            "x.yaml:2:28: gate.width is 9; it wants a whole number from 1 to 8",
        ),
        (
            "techniques: {gate: {width: true}}\n",
            "x.yaml:2:28: gate.width is true; it wants a whole number from 1 to 8",
        ),
        (
            "techniques: {gate: {scale: .inf}}\n",
            "x.yaml:2:28: gate.scale is '.inf'; it wants a number",
        ),
        (
            "techniques: {gate: {scale: 1e999}}\n",
            "x.yaml:2:28: gate.scale is inf; it wants a number",
        ),
        ("techniques: {gate: {scale: }}\n", "x.yaml:2:27: gate.scale is empty; it wants a number"),
        ("techniques: {gate: {on: 1}}\n", "x.yaml:2:25: gate.on is 1; it wants true or false"),
        ("techniques: {gate: {kind: c}}\n", "x.yaml:2:27: gate.kind is 'c'; it wants one of a, b"),
        (
            "techniques: {gate: {layers: [1, x]}}\n",
            "x.yaml:2:29: gate.layers is [1, 'x']; it wants a list of whole numbers",
        ),
        (
            "settings: {matrix_lr: -1}\n",
            "x.yaml:2:23: settings.matrix_lr is -1; it wants a number, at least 0",
        ),
        (
            "techniques:\n  logit:\n",
            "x.yaml:3:3: logit is no technique. logit_softcap stands under settings.",
        ),
        (
            "settings: {num_heads: 7}\n",
            "x.yaml:2:23: model_dim is no even multiple of num_heads "
            "(model_dim 512 and num_heads 7); change one",
        ),
        (
            "settings: {train_batch_tokens: 1000}\n",
            "x.yaml:2:32: train_batch_tokens is no multiple of 8 x train_seq_len "
            "(train_batch_tokens 1000 and train_seq_len 1024); change one",
        ),
        ("track: 10min\n", "x.yaml:2:8: 10min is no track. Did you mean 10min_16mb?"),
        ("data: sp1023\n", "x.yaml:2:7: sp1023 is no dataset. Did you mean sp1024?"),
    ],
)
def test_a_wrong_name_or_value_is_refused_where_it_stands(message, recipe, error):
    assert message(GATE, recipe) == error


def test_values_take_the_type_of_their_default(composes):
    composition = composes(GATE, "techniques: {gate: {scale: 2, layers: [1]}}\n")
    values = {one.hyperparameter.name: one.value for one in composition.assignments}
    assert (values["scale"], type(values["scale"]), values["layers"]) == (2.0, float, (1,))


def test_the_command_line_sets_by_recipe_name_or_environment_name(composes):
    composition = composes(
        GATE,
        "techniques: {gate: }\n",
        set=["gate.width=5", "GATE_LAYERS=1,2", "GATE_ON=0", "SEED=3", "rope_base=5e3"],
    )
    values = {one.attribute: one.value for one in composition.assignments}
    assert values["gate_width"] == 5
    assert values["gate_layers"] == (1, 2)
    assert values["gate_on"] is False
    assert values["seed"] == 3
    assert values["rope_base"] == 5000.0


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (
            {"set": ["zzz=5"]},
            "--set: zzz is no hyperparameter. `pgolf-compose show x` shows them.",
        ),
        (
            {"set": ["gate.widht=5"]},
            "--set: gate.widht is no hyperparameter. Did you mean gate.width?",
        ),
        (
            {"set": ["gate.width=5"]},
            "--set: gate.width belongs to gate, which x does not have; add --with gate",
        ),
        (
            {"set": ["seed"]},
            "--set: 'seed' sets nothing; write --set xsa.last_n=4 or --set XSA_LAST_N=4",
        ),
        (
            {"set": ["seed=x"]},
            "--set seed=x: settings.seed is 'x'; it wants a whole number from 0 to 4294967295",
        ),
        ({"added": ["gat"]}, "--with: gat is no technique. Did you mean gate?"),
        ({"removed": ["gate"]}, "--without: gate is not in recipe x."),
    ],
)
def test_a_slip_on_the_command_line_is_told_as_such(message, options, error):
    assert message(GATE, "techniques: {}\n", **options) == error


def test_two_hyperparameters_cannot_share_a_name(message):
    mine = named("a", 'env_prefix="X", hyperparameters=(Hyperparameter("n", 1, "of it"),)')
    mine |= named("b", 'env_prefix="X", hyperparameters=(Hyperparameter("n", 1, "of it"),)')
    assert message(mine, "techniques: {a: , b: }\n") == (
        "a and b both declare x_n; give one another prefix or `env`"
    )


def test_of_two_techniques_with_one_public_name_the_composed_one_is_meant(composes):
    mine = named("a", 'hyperparameters=(Hyperparameter("n", 1, "of it", env="STRIDE"),)')
    mine |= named("b", 'hyperparameters=(Hyperparameter("n", 1, "of it", env="STRIDE"),)')
    composition = composes(mine, "techniques: {a: }\n", set=["STRIDE=5"])
    assert {one.attribute: one.value for one in composition.assignments}["a_n"] == 5


def test_another_dataset_puts_an_inherited_vocabulary_aside(tree, composes):
    tree({"above.yaml": "settings: {vocab_size: 1024, seed: 3}\n"})
    composition = composes(named("a"), "extends: ./above.yaml\ndata: sp8192\n")
    values = {one.attribute: one.value for one in composition.assignments}
    assert (values["vocab_size"], values["seed"]) == (8192, 3)


def test_empty_keys_count_as_left_out(composes):
    recipe = "extends:\ntrack:\ndata:\ntechniques:\nsettings:\nwithout:\nsubmission:\n"
    assert composes(named("a"), recipe).techniques == ()


def test_a_dataset_sets_the_vocabulary_and_a_setting_overrides_it(composes):
    vocabulary = {
        recipe: next(
            one.value
            for one in composes({**named("a")}, recipe).assignments
            if one.attribute == "vocab_size"
        )
        for recipe in ("data: sp8192\n", "data: sp8192\nsettings: {vocab_size: 99}\n")
    }
    assert list(vocabulary.values()) == [8192, 99]


GREETS = technique(
    """# @fill main.finish
log(h, "hello")
# @if tone == "loud"
log(h, "HELLO")
# @endif


# @fill main.setup if tone == "loud"
log(h, "mind your ears")
""",
    """hyperparameters=(
        choice("tone", {"soft": "as indoors", "loud": "as at sea"}, "of it", env="TONE",
               breaks={"loud": {"C3": "it wakes the neighbours"}}),
    )""",
)


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ("{greet: }", ["hello"]),
        ("{greet: {tone: soft}}", ["hello"]),
        ("{greet: {tone: loud}}", ["mind your ears", "hello", "HELLO"]),
    ],
)
def test_a_choice_is_settled_when_a_script_is_composed(tree, settings, there):
    import pgolf_compose

    folder = tree(
        {"mine": {"greet": GREETS}, "x.yaml": f"plugins: [mine]\ntechniques: {settings}\n"}
    )
    build = pgolf_compose.compose(folder / "x.yaml", allow_noncompliant=True)
    told = ["mind your ears", "hello", "HELLO"]
    found = [text for text in told if f'log(h, "{text}")' in build.script.code]
    assert found == there
    tone = "loud" if "HELLO" in there else "soft"
    assert f'greet_tone = env("TONE", "{tone}", settled=True)' in build.script.code


def test_a_choice_says_what_it_may_be_and_may_break_a_rule(message):
    assert message({"greet": GREETS}, "techniques: {greet: {tone: lewd}}") == (
        "x.yaml:2:28: greet.tone is 'lewd'; it wants one of soft, loud"
    )
    assert message({"greet": GREETS}, "techniques: {greet: {tone: loud}}") == (
        "x.yaml:2:14: greet breaks rule C3 of 10min_16mb, 'a token is scored before anything learns "
        "from it': it wakes the neighbours; leave it out, or give --allow-noncompliant for a script "
        "that says so and is no submission"
    )


def test_a_condition_asks_for_the_technique_s_own_choices(message):
    mine = {"a": technique("# @fill main.finish if loud\nlog(h, 1)\n")}
    assert message(mine, "techniques: {a: }") == (
        "mine/a/fragments.py:2: `fill main.finish if loud`: name 'loud' is not defined; "
        "it may ask for the technique's settled choices (none)"
    )


def test_techniques_without_a_prefix_may_each_have_a_choice_of_one_name(tree):
    import pgolf_compose

    declared = """env_prefix="", misfit=lambda values: values["{0}_form"] * (values["{0}_form"] == "b"),
    hyperparameters=(choice("form", {{"a": "one", "b": "no"}}, "of it"),)"""
    mine = {
        name: technique(
            f"# @fill main.finish if form == 'a'\nlog(h, '{name}')\n", declared.format(name)
        )
        for name in ("one", "two")
    }
    folder = tree({"mine": mine, "x.yaml": "plugins: [mine]\ntechniques: {one: , two: }\n"})
    code = pgolf_compose.compose(folder / "x.yaml").script.code
    assert 'log(h, "one")' in code and 'log(h, "two")' in code
