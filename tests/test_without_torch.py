"""What needs only numpy works where torch is not installed."""

import subprocess
import sys
import textwrap

import pytest

HIDE = """
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith("torch"):
            raise ImportError(f"{name} is hidden")

sys.meta_path.insert(0, Hidden())
import numpy as np
rng = np.random.default_rng(0)
y = np.arange(40) % 2
x = rng.normal(size=(40, 3)) + 5 * y[:, None]
"""
USES = {
    "tlbook": "import tlbook; tlbook.claim('one is less than two', 1 < 2); tlbook.errors.TlbookError; tlbook.profile()",
    "classical": """
        import tlbook.methods.classical_adaptation
        from tlbook.methods import BDA, GFK, JDA, TCA, Place, SubspaceAlignment
        for method in (TCA(2), TCA(2, kernel="rbf"), GFK(2), SubspaceAlignment(2), JDA(2), BDA(2, balance="estimate")):
            assert method.fit(x, y, x + 1).predict(x + 1).shape == (40,)
            assert method.transform(x).shape[0] == 40 and method.score(x + 1, y) > 0.5
    """,
    "zero-shot": """
        import tlbook.methods.zero_shot
        from tlbook.methods import DAP, ESZSL, LinearEmbedding
        from tlbook.methods.zero_shot.gate import Gate
        from tlbook.methods.zero_shot.generalised import calibrated_stacking, per_class, seen_unseen_curve
        from tlbook.methods.zero_shot.selection import choose
        from tlbook.methods.zero_shot.strokes import measure
        for method in (DAP(), ESZSL(), LinearEmbedding()):
            assert per_class(method.fit(x, y, np.eye(2)).predict(x, np.eye(2)), y) > 0.5
        assert Gate().fit(x).predict(x).shape == (40,)
        assert measure(np.pad(np.ones((1, 1, 9, 9)), ((0, 0), (0, 0), (4, 4), (4, 4)))).shape == (1, 28)
    """,
    "theory": """
        from tlbook import theory
        from tlbook.probe import proxy_a_distance
        assert theory.stump_divergence(x, x + 9) == theory.stump_pair_divergence(x, x + 9) == 2
        assert theory.joint_error(theory.best_linear, x, y, x + 1, y) < 0.5 and theory.sample_term(3, 100) > 0
        assert proxy_a_distance(x, x + 99) > 1
    """,
}


@pytest.mark.parametrize("use", USES)
def test_it_runs_with_torch_hidden(use: str) -> None:
    code = HIDE + textwrap.dedent(USES[use]) + "\nassert not any(m.startswith('torch') for m in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
