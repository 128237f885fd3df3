"""What README.md shows is what happens: its consoles are typed again, its recipe composes."""

import re
import shlex

import pytest
from conftest import ROOT, technique

README = (ROOT / "README.md").read_text(encoding="utf-8")
SIZE = re.compile(r"[\d,]+(?= bytes| lines)")


def consoles() -> dict[str, str]:
    """Every `$ command` of the README with what it shows below."""
    found = {}
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in block.split("$ ")[1:]:
            command, _, shown = part.partition("\n")
            found[command] = shown.strip("\n")
    return found


FILES = {one.removeprefix("cat "): told for one, told in consoles().items() if one[:4] == "cat "}
COMMANDS = {one: told for one, told in consoles().items() if one[:4] != "cat "}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_consoles_show_what_the_commands_print(cli, tree, command):
    tree({name: f"{text}\n" for name, text in FILES.items()})
    shown, args = COMMANDS[command], shlex.split(command)[1:]
    result = cli(*args)
    assert result.exit_code == (args[0] == "diff"), result.stderr
    # the packed bytes depend on the machine's liblzma: sizes hold to 2 %
    assert SIZE.sub("N", result.stdout.strip("\n")) == SIZE.sub("N", shown)
    for told, printed in zip(SIZE.findall(shown), SIZE.findall(result.stdout), strict=True):
        assert number(printed) == pytest.approx(number(told), rel=0.02)


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_recipe_of_the_readme_composes(cli, tree):
    recipe = next(b for b in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "plugins" in b)
    tree({"mine.yaml": recipe, "my_techniques": {"mine": technique("# @fill main.finish\npass\n")}})
    result = cli("mine.yaml", "--check")
    assert result.exit_code == 0, result.stderr


def test_every_command_has_a_row(cli):
    listed = re.search(r"Commands:\n(.*?)\n\n", cli("--help").stdout + "\n\n", re.DOTALL)[1]
    names = {line.split()[0] for line in listed.splitlines()}
    assert names == set(re.findall(r"^\| `pgolf-compose ([a-z]+)", README, re.MULTILINE))
