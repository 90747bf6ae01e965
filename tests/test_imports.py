"""The architecture, held: who may import whom, read from the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "problems": set(),
    "workloads": {"problems"},
    "pricing": {"problems"},
    "router": {"workloads", "pricing", "problems"},
    "simulator": {"workloads", "pricing", "router", "problems"},
    "quality": {"simulator", "workloads", "pricing", "router", "problems"},
    "reports": {"quality", "simulator", "workloads", "pricing", "router", "problems"},
    "backroute": {"reports", "quality", "simulator", "workloads", "pricing", "router", "problems"},
}
# Whoever talks to a model provider, or to anything on a network.
CONNECTS = {"openai", "anthropic", "groq", "httpx", "httpx2", "requests", "urllib3", "aiohttp", "socket"}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_those_below_it(package: str) -> None:
    for path in sources(package):
        ours = {name.partition(".")[0] for name in imports(path)} & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[package] | {package}, f"{path} imports {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_only_provider_adapters_connect_to_anything(package: str) -> None:
    for path in sources(package):
        if "providers" not in path.parts:
            assert not {name.partition(".")[0] for name in imports(path)} & CONNECTS, path


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_files_stay_short(package: str) -> None:
    for path in sources(package):
        assert len(path.read_text("utf-8").splitlines()) <= 400, f"{path} is two files"
        assert path.stem not in {"utils", "helpers", "common"}, path
