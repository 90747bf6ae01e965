import subprocess
import sys

SLOW = ("pandas", "tiktoken", "genai_prices", "scipy", "matplotlib", "openai", "anthropic", "groq")


def test_live_routing_starts_without_the_libraries_that_only_replay_needs() -> None:
    """pandas alone takes half a second, which a service would pay at every start."""
    code = f"""
import sys
import router
router.LLMRouter().route("hi", {{"complex": True}})
print([name for name in {SLOW} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
