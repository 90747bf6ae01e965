import subprocess
import sys

SLOW = ("pandas", "tiktoken", "genai_prices", "scipy", "matplotlib", "openai", "anthropic", "groq")


def test_importing_the_router_loads_no_library_that_it_may_not_need() -> None:
    """pandas alone takes half a second. (pyarrow loads it, where it is installed, with the first array it makes.)"""
    code = f"import sys, router; print([name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
