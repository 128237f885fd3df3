"""Everything that plugins offer: ours, installed packages, folders that a user names."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import pluggy

from pgolf_compose import hookspecs
from pgolf_compose._bundled import ROOT
from pgolf_compose.data import DATASETS, Dataset
from pgolf_compose.errors import ComposeError, did_you_mean, listed, shown
from pgolf_compose.hookspecs import PROJECT, hookimpl
from pgolf_compose.origin import Location
from pgolf_compose.pack import Packer
from pgolf_compose.packers.instant import instant
from pgolf_compose.packers.mixing import smallest
from pgolf_compose.technique import Host, Technique
from pgolf_compose.tracks import Track, read_tracks

__all__ = ["Library", "load_library", "pick"]

NAME = re.compile(r"[a-z0-9][a-z0-9_]*")
HOOKS = [name for name in vars(hookspecs) if name.startswith("register_")]


class Manager(pluggy.PluginManager):
    """Looks for hooks among all attributes; those of a plain technique or host are known."""

    def parse_hookimpl_opts(self, plugin: object, name: str):
        if type(plugin) in (Technique, Host) and name not in HOOKS:
            return None
        return super().parse_hookimpl_opts(plugin, name)


class Bundled:
    """What pgolf-compose brings along besides techniques, through the hooks of everybody."""

    @hookimpl
    def register_tracks(self) -> list[Track]:
        return read_tracks(Path(__file__).parent / "tracks")

    @hookimpl
    def register_datasets(self) -> list[Dataset]:
        return DATASETS

    @hookimpl
    def register_packers(self) -> list[Packer]:
        return [instant, smallest]


class Library:
    """Techniques, hosts, tracks, datasets and packers by name, and who brought each."""

    def __init__(self, plugins: pluggy.PluginManager, providers: dict[str, str]):
        self.plugins, self.providers = plugins, providers
        self.brought: dict[str, str] = {}  # what is offered -> the plugin that offers it

    @functools.cached_property
    def techniques(self) -> dict[str, Technique]:
        return self.offered("register_techniques", Technique)

    @functools.cached_property
    def hosts(self) -> dict[str, Host]:
        return self.offered("register_templates", Host)

    @functools.cached_property
    def tracks(self) -> dict[str, Track]:
        return self.offered("register_tracks", Track)

    @functools.cached_property
    def datasets(self) -> dict[str, Dataset]:
        return self.offered("register_datasets", Dataset)

    @functools.cached_property
    def packers(self) -> dict[str, Packer]:
        return self.offered("register_packers", Packer)

    def provider(self, technique: Technique) -> str:
        """Who brought it: empty for our own, else a distribution and version, or a folder."""
        return self.providers[self.brought[technique.name]]

    def offered(self, hook: str, kind: type) -> dict:
        """What all plugins return from one hook, sorted by name, whoever registered first."""
        found: dict[str, tuple[str, object]] = {}
        for implementation in getattr(self.plugins.hook, hook).get_hookimpls():
            plugin = implementation.plugin_name
            try:
                offers = list(implementation.function())
            except ComposeError:
                raise
            except Exception as error:
                raise ComposeError(
                    f"{hook} of plugin {plugin} raises {type(error).__name__}: {error}",
                    raised_at(error),
                ) from None
            for offer in offers:
                if not isinstance(offer, kind):
                    raise ComposeError(
                        f"{hook} of plugin {plugin} returns {type(offer).__name__}; "
                        f"it must return a list of {kind.__name__}"
                    )
                if offer.name in found:
                    raise ComposeError(
                        f"{offer.name} comes from {found[offer.name][0]} and from {plugin}; "
                        "rename one or leave one out"
                    )
                if not NAME.fullmatch(offer.name):
                    raise ComposeError(
                        f"{offer.name!r} cannot be a name: lower-case letters, digits and _ only",
                        getattr(offer, "home", None),
                    )
                found[offer.name] = (plugin, offer)
                self.brought[offer.name] = plugin
        return {name: found[name][1] for name in sorted(found)}


def load_library(folders: Sequence[Path] = ()) -> Library:
    """Built-ins, then installed packages (entry-point group `pgolf_compose`), then folders."""
    plugins = Manager(PROJECT)
    plugins.add_hookspecs(hookspecs)
    providers: dict[str, str] = {}

    def register(plugin: object, name: str, provider: str, where: object = None) -> None:
        if plugins.has_plugin(name):
            raise ComposeError(
                f"{name} is there already, from {providers[name] or 'pgolf-compose'}; rename one",
                where,
            )
        providers[name] = provider
        try:
            plugins.register(plugin, name)
            plugins.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise ComposeError(
                f"plugin {name} does not fit the hooks: {one_line(error)}", where
            ) from None

    register(Bundled(), "pgolf_compose", "")
    for host in import_folder(ROOT / "templates", "templates", "host", Host):
        register(host, f"templates.{host.name}", "")
    for technique in import_folder(ROOT / "plugins", "plugins", "technique", Technique):
        register(technique, technique.name, "")
    for entry in sorted(importlib.metadata.entry_points(group=PROJECT), key=lambda e: e.name):
        provider = f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
        plugin = imported(entry.load, f"{provider}, entry point {entry.name}")
        if isinstance(plugin, Technique):
            register(plugin, plugin.name, provider)
        else:
            register(plugin, f"{entry.name} ({provider})", provider)
    # a folder inside ours, as in a checkout, holds what is there already
    known = {one.home for one in plugins.get_plugins() if isinstance(one, Technique)}
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        if not folder.is_dir():
            raise ComposeError("no such folder of plugins", folder)
        # a module's name tells where it lies, so that two folders never share one
        package = "folder_" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        for found in import_folder(folder, package, "technique", Technique, known):
            if isinstance(found, Technique):
                register(found, found.name, shown(folder), found.home)
            else:  # a package that hooks in by itself, such as a contest
                home = Path(found.__file__).parent
                register(found, f"{home.name} ({shown(home)})", shown(folder), home)
    return Library(plugins, providers)


def import_folder(
    folder: Path, package: str, attribute: str, kind: type, known: Collection[Path] = ()
) -> Iterable:
    """The `technique` (or `host`) of each package in a folder; a folder of one counts as well.

    A package with hooks of its own is returned as it is. Packages that are `known` are left out.
    """
    homes = [folder] if (folder / "__init__.py").is_file() else sorted(folder.iterdir())
    homes = [home for home in homes if (home / "__init__.py").is_file()]
    if not homes:
        raise ComposeError(
            "holds no technique; one is a folder with __init__.py and fragments.py", folder
        )
    for home in homes:
        if home in known:
            continue
        init = home / "__init__.py"
        name = f"pgolf_compose._bundled.{package}.{home.name}"
        module = imported(functools.partial(import_file, init, name), shown(init))
        found = getattr(module, attribute, None)
        functions = [one for one in vars(module).values() if inspect.isfunction(one)]
        if any(hasattr(one, f"{PROJECT}_impl") for one in functions):
            found = module
        elif not isinstance(found, kind):
            raise ComposeError(
                f"declares no {attribute}; write `{attribute} = {kind.__name__}(__name__, ...)`",
                Location(init, 1),
            )
        yield found


def import_file(init: Path, name: str):
    spec = importlib.util.spec_from_file_location(
        name, init, submodule_search_locations=[str(init.parent)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def imported(load: Callable[[], object], what: str) -> object:
    """What `load` returns; whatever a plugin's author got wrong becomes one line."""
    try:
        return load()
    except ComposeError:
        raise
    except (Exception, SystemExit) as error:
        raise ComposeError(
            f"this plugin cannot be imported: {type(error).__name__}: {one_line(error)}",
            raised_at(error) or what,
        ) from None


def raised_at(error: BaseException) -> Location | None:
    """The innermost line outside the standard library's import system."""
    if isinstance(error, SyntaxError) and error.filename:
        return Location(Path(error.filename), error.lineno or 1, error.offset or 0)
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith("<") and "importlib" not in f.filename]
    own = [f for f in own if Path(f.filename).parent != Path(__file__).parent]
    return Location(Path(own[-1].filename), own[-1].lineno or 1) if own else None


def one_line(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return " ".join(str(error).split())


def pick(kind: str, name: str, known: dict, where: object = None):
    """`known[name]`, or an error with the nearest name, or with all where they are few."""
    if name not in known:
        few = f" There are {listed(known)}." if 0 < len(known) <= 8 else ""
        raise ComposeError(f"{name} is no {kind}.{did_you_mean(name, known) or few}", where)
    return known[name]
