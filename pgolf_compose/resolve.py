"""A recipe and a library become a composition: every technique in order, every value settled."""

import heapq
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pgolf_compose.data import Dataset
from pgolf_compose.errors import ComposeError, did_you_mean, listed
from pgolf_compose.places import Fragment, used_fragments
from pgolf_compose.plugins import Library, pick
from pgolf_compose.recipe import Recipe, Setting, written
from pgolf_compose.technique import Declared, Host, Hyperparameter, Technique, Value
from pgolf_compose.tracks import Track
from pgolf_compose.yaml_file import read_scalar

__all__ = ["NOTHING", "Assignment", "Changes", "Composition", "resolve"]


@dataclass(frozen=True)
class Changes:
    """What a command line does to a recipe: `--set`, `--with`, `--without`."""

    set: Sequence[str] = ()
    added: Sequence[str] = ()
    removed: Sequence[str] = ()


NOTHING = Changes()


@dataclass(frozen=True)
class Assignment:
    """A hyperparameter's final value, and where it was written (None: it is the default)."""

    declared: Declared
    hyperparameter: Hyperparameter
    value: Value
    where: object = None

    @property
    def attribute(self) -> str:
        return self.declared.attribute(self.hyperparameter)

    @property
    def env(self) -> str:
        return self.declared.env(self.hyperparameter)


@dataclass(frozen=True)
class Composition:
    """A recipe resolved. `before` says which techniques were declared to precede which."""

    recipe: Recipe
    host: Host
    track: Track
    dataset: Dataset | None
    techniques: tuple[Technique, ...]
    assignments: tuple[Assignment, ...]
    fragments: tuple[Fragment, ...]
    before: Mapping[str, frozenset[str]] = field(repr=False)

    @property
    def name(self) -> str:
        return self.recipe.name

    def settled(self, declared: Declared) -> dict[str, Value]:
        """What was decided of a technique or the host for good: its settled choices by name."""
        return {
            one.hyperparameter.name: one.value
            for one in self.assignments
            if one.declared is declared and one.hyperparameter.settled
        }


def resolve(recipe: Recipe, library: Library, changes: Changes = NOTHING) -> Composition:
    """Check a recipe against what is installed, and settle order and values."""
    recipe = changed(recipe, library, changes)
    track = pick("track", recipe.track.value, library.tracks, recipe.track.where)
    host = pick("host script", track.host, library.hosts, recipe.track.where)
    dataset = None
    if recipe.data:
        dataset = pick("dataset", recipe.data.value, library.datasets, recipe.data.where)
    chosen = [technique_of(name, recipe, library) for name in recipe.techniques]
    for one in chosen:
        if one.host != host.name:
            raise ComposeError(
                f"{one.name} is for the host script {one.host}; track {track.name} has {host.name}",
                recipe.chosen[one.name],
            )
    check_company(chosen, recipe, library)
    techniques, before = ordered(chosen)
    settings = {**dataset_settings(dataset, recipe), **recipe.settings}
    assignments = [
        *assign(host, settings, library, "settings"),
        *itertools.chain.from_iterable(
            assign(one, recipe.techniques[one.name], library, one.name) for one in techniques
        ),
    ]
    check_names(assignments, techniques)
    for one in (host, *techniques):
        check_fit(one, assignments)
    composition = Composition(
        recipe, host, track, dataset, techniques, tuple(assignments), (), before
    )
    chosen = (used_fragments(one, composition.settled(one)) for one in techniques)
    return replace(composition, fragments=tuple(itertools.chain.from_iterable(chosen)))


def changed(recipe: Recipe, library: Library, changes: Changes) -> Recipe:
    """The recipe with the command line's changes, as if they stood in a last file above it."""
    techniques = {name: dict(settings) for name, settings in recipe.techniques.items()}
    chosen, settings = dict(recipe.chosen), dict(recipe.settings)
    for name in changes.added:
        techniques.setdefault(name, {})
        chosen[name] = "--with"
    for name in changes.removed:
        if name not in techniques:
            raise ComposeError(
                f"{name} is not in recipe {recipe.name}.{did_you_mean(name, techniques)}",
                "--without",
            )
        del techniques[name], chosen[name]
    for text in changes.set:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ComposeError(
                f"{text!r} sets nothing; write --set xsa.last_n=4 or --set XSA_LAST_N=4", "--set"
            )
        owner, hyperparameter = addressed(key, techniques, recipe, library)
        setting = Setting(value_of(value, hyperparameter, key == key.upper()), f"--set {text}")
        if owner is None:
            settings[hyperparameter.name] = setting
        else:
            techniques[owner.name][hyperparameter.name] = setting
    if not (changes.set or changes.added or changes.removed):
        return recipe
    return replace(recipe, techniques=techniques, chosen=chosen, settings=settings, parent=recipe)


def addressed(
    key: str, techniques: Iterable[str], recipe: Recipe, library: Library
) -> tuple[Technique | None, Hyperparameter]:
    """Which hyperparameter `xsa.last_n`, `matrix_lr` or `XSA_LAST_N` means; None is the host."""
    track = pick("track", recipe.track.value, library.tracks, recipe.track.where)
    host = pick("host script", track.host, library.hosts, recipe.track.where)
    known: dict[str, tuple[Technique | None, Hyperparameter]] = {}
    # two may share a public name: the one that is composed is meant
    for technique in sorted(library.techniques.values(), key=lambda one: one.name in techniques):
        for one in technique.hyperparameters:
            env = technique.env(one).split()
            names = f"{technique.name}.{one.name}", technique.attribute(one), *env
            known.update(dict.fromkeys(names, (technique, one)))
    for one in host.hyperparameters:
        known.update(dict.fromkeys((one.name, *host.env(one).split()), (None, one)))
    if key not in known:
        near = did_you_mean(key, known) or f" `pgolf-compose show {recipe.name}` shows them."
        raise ComposeError(f"{key} is no hyperparameter.{near}", "--set")
    owner, one = known[key]
    if owner is not None and owner.name not in techniques:
        raise ComposeError(
            f"{key} belongs to {owner.name}, which {recipe.name} does not have; "
            f"add --with {owner.name}",
            "--set",
        )
    return owner, one


def value_of(text: str, hyperparameter: Hyperparameter, environment: bool) -> object:
    """A command line's value: as in a recipe, or as the environment would spell it."""
    kind = type(hyperparameter.default)
    if kind is str:
        return text
    if kind is bool and environment and text in ("0", "1"):
        return text == "1"
    if kind is tuple and not text.startswith("["):
        text = f"[{text}]"
    return read_scalar(text, "--set")


def technique_of(name: str, recipe: Recipe, library: Library) -> Technique:
    """The technique a recipe asks for, or where the unknown name stands."""
    if name in library.techniques:
        return library.techniques[name]
    near = did_you_mean(name, library.techniques)
    hosts = [one.name for host in library.hosts.values() for one in host.hyperparameters]
    setting = next((key for key in hosts if key.startswith(name)), None)
    if setting and not near:
        near = f" {setting} stands under settings."
    hint = near or " `pgolf-compose list` shows those that are installed."
    raise ComposeError(f"{name} is no technique.{hint}", recipe.chosen[name])


def check_company(chosen: Sequence[Technique], recipe: Recipe, library: Library) -> None:
    """What is required is there, and what excludes each other is not."""
    names = {one.name for one in chosen}
    for one in sorted(chosen, key=lambda one: one.name):
        missing = needed_by(one, names, library)
        if missing:
            needs = listed(f"{name} ({why})" for name, why in missing.items())
            raise ComposeError(
                (
                    f"{one.name} needs {needs}; add it to the recipe:"
                    if len(missing) == 1
                    else f"{one.name} needs {needs}; add them to the recipe:"
                ),
                recipe.chosen[one.name],
                paste=corrected(recipe, missing),
            )
    for one, other in itertools.combinations(sorted(chosen, key=lambda one: one.name), 2):
        why = one.conflicts.get(other.name) or other.conflicts.get(one.name)
        if why:
            change = smallest_change(chosen, library)
            raise ComposeError(
                f"{one.name} ({recipe.chosen[one.name]}) and {other.name} "
                f"({recipe.chosen[other.name]}) exclude each other: {why}; "
                f"smallest change that composes: {change}",
                recipe.chosen[one.name],
            )


def needed_by(one: Technique, names: set[str], library: Library) -> dict[str, str]:
    """What a technique requires beside these, and what that requires in turn: why, by name."""
    missing: dict[str, str] = {}
    queue = [one]
    for each in queue:
        for name, why in each.requires.items():
            if name not in names and name not in missing:
                missing[name] = why
                queue += [library.techniques[name]] if name in library.techniques else []
    return missing


def corrected(recipe: Recipe, missing: Iterable[str]) -> str:
    """The recipe's `techniques:` with what is missing, to paste."""
    lines = ["techniques:"]
    for name, settings in sorted({**{m: {} for m in missing}, **recipe.techniques}.items()):
        values = ", ".join(f"{key}: {written(one.value)}" for key, one in settings.items())
        lines.append(f"  {name}: {{{values}}}" if values else f"  {name}:")
    return "\n".join(lines)


def smallest_change(chosen: Sequence[Technique], library: Library) -> str:
    """The fewest techniques to leave out so that nothing is amiss; each way to do it."""
    names = {one.name for one in chosen}

    def valid(candidate: set[str]) -> bool:
        company = [library.techniques[name] for name in candidate]
        return all(
            not candidate & set(one.conflicts) and set(one.requires) <= candidate for one in company
        )

    involved = {one.name for one in chosen if names & set(one.conflicts)}
    involved |= {name for one in chosen for name in one.conflicts if name in names}
    # leaving one out may leave others without what they need
    while more := {one.name for one in chosen if set(one.requires) & involved} - involved:
        involved |= more
    for size in range(1, len(involved) + 1):
        ways = [
            f"leave out {listed(gone)}"
            for gone in itertools.combinations(sorted(involved), size)
            if valid(names - set(gone))
        ]
        if ways:
            return ", or ".join(ways[:3])
    return "start from fewer techniques"


def ordered(
    chosen: Sequence[Technique],
) -> tuple[tuple[Technique, ...], Mapping[str, frozenset[str]]]:
    """Techniques after those they declare to follow, ties by name; and who precedes whom."""
    names = {one.name: one for one in chosen}
    direct: dict[str, set[str]] = {name: set() for name in names}  # those that come before
    for one in chosen:
        direct[one.name].update(name for name in one.after if name in names)
        for name in one.before:
            if name in names:
                direct[name].add(one.name)
    ready = [name for name, above in direct.items() if not above]
    heapq.heapify(ready)
    order: list[str] = []
    preceding: dict[str, frozenset[str]] = {}
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        above = direct[name]
        preceding[name] = frozenset(above).union(*(preceding[one] for one in above))
        for other, needs in direct.items():
            if name in needs and needs <= set(order) and other not in order and other not in ready:
                heapq.heappush(ready, other)
    if len(order) < len(names):
        circle = listed(sorted(set(names) - set(order)))
        raise ComposeError(f"{circle} each declare to come after another of them; mend one")
    return tuple(names[name] for name in order), preceding


def dataset_settings(dataset: Dataset | None, recipe: Recipe) -> dict[str, Setting]:
    """The host settings that a recipe's `data` stands for."""
    if dataset is None:
        return {}
    where = recipe.data.where
    settings = {name: Setting(value, where) for name, value in dataset.settings.items()}
    if dataset.files:
        return settings
    settings["vocab_size"] = Setting(dataset.vocab_size, where)
    if dataset.shards:
        settings["data_path"] = Setting(f"{{data_dir}}/datasets/{dataset.shards}", where)
    if dataset.tokenizer:
        settings["tokenizer_path"] = Setting(f"{{data_dir}}/tokenizers/{dataset.tokenizer}", where)
    return settings


def assign(
    declared: Declared, settings: Mapping[str, Setting], library: Library, section: str
) -> list[Assignment]:
    """Every hyperparameter of a technique or the host with its final value."""
    check_settings(declared, settings, library, section)
    values = []
    for one in declared.hyperparameters:
        setting = settings.get(one.name)
        value = setting.value if setting else one.default
        if isinstance(value, list):
            value = tuple(value)
        if isinstance(one.default, float):
            value = float(value)
        values.append(Assignment(declared, one, value, setting.where if setting else None))
    return values


def check_settings(
    declared: Declared, settings: Mapping[str, Setting], library: Library, section: str
) -> None:
    """Unknown names, wrong types and values out of range are refused where they stand."""
    known = {one.name: one for one in declared.hyperparameters}
    for key, setting in settings.items():
        if key not in known:
            raise ComposeError(unknown_setting(key, declared, library, section), setting.where)
    if not settings:
        return
    from pgolf_compose.schema import problems, settings_model

    data = {key: setting.value for key, setting in settings.items()}
    for key in [key for key, value in data.items() if value is None]:
        raise ComposeError(
            f"{section}.{key} is empty; it wants {known[key].wants}", settings[key].where
        )
    for keys, _, _ in problems(settings_model(declared), data):
        key = keys[0]
        raise ComposeError(
            f"{section}.{key} is {written(data[key])}; it wants {known[key].wants}",
            settings[key].where,
        )


def unknown_setting(key: str, declared: Declared, library: Library, section: str) -> str:
    """What the word might have meant: a near name here, or the same name elsewhere."""
    known = [one.name for one in declared.hyperparameters]
    spelt = {env: one.name for one in declared.hyperparameters for env in declared.env(one).split()}
    if key in spelt:
        return f"{section} has no {key}; a recipe writes it {spelt[key]}"
    if near := did_you_mean(key, known):
        return f"{section} has no {key}.{near}"
    for other in [*library.hosts.values(), *library.techniques.values()]:
        if other is not declared:
            for one in other.hyperparameters:
                if key in (one.name, other.attribute(one)):
                    place = "settings" if isinstance(other, Host) else f"techniques: {other.name}"
                    return f"{section} has no {key}; {one.name} stands under {place}"
    if not known:
        return f"{section} has no {key}: it takes no settings"
    return f"{section} has no {key}; it has {listed(known)}"


def check_fit(declared: Declared, assignments: Sequence[Assignment]) -> None:
    """Values that are right by themselves must be so together."""
    if declared.misfit is None:
        return
    values = {one.attribute: one for one in assignments}
    if reason := declared.misfit({name: one.value for name, one in values.items()}):
        named = [one for name, one in values.items() if name in re.findall(r"\w+", reason)]
        told = listed(f"{one.attribute} {written(one.value)}" for one in named)
        where = next((one.where for one in reversed(named) if one.where is not None), None)
        raise ComposeError(f"{reason} ({told}); change one", where)


def check_names(assignments: Sequence[Assignment], techniques: Sequence[Technique]) -> None:
    """No two hyperparameters share a name in the script or in the environment."""
    taken: dict[str, str] = {}
    names = [
        (name, assignment.declared.name)
        for assignment in assignments
        for name in (assignment.attribute, *assignment.env.split())
    ]
    names += [(name, one.name) for one in techniques for name in one.switch.split()]
    for name, owner in names:
        if name in taken:
            raise ComposeError(
                f"{taken[name]} and {owner} both declare {name}; give one another prefix or `env`"
            )
        taken[name] = owner
