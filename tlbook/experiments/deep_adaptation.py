"""MNIST ↔ USPS, the sampled protocol of chapter ``adda``: DDC, DAN and Deep CORAL (chapter ``deep_adaptation``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tlbook import evaluate, nets, selection
from tlbook.data import Domain
from tlbook.experiments.adda import (
    APART,
    MNIST_USPS,
    NETWORK,
    PROTOCOL,
    USPS_MNIST,
    lenet,
    mnist_to_usps,
    usps_to_mnist,
)
from tlbook.experiments.experiment import Experiment, Run, Training, seeded
from tlbook.experiments.partial_transfer import NETWORK as SMALL
from tlbook.experiments.partial_transfer import encoder
from tlbook.methods import DANN, Method
from tlbook.methods.deep_adaptation import DAN, DDC, DeepCORAL
from tlbook.train import fit, gan_adam

OWN = "none: the paper reports on photographs of office things"
SELECTION = (
    "the last step is reported. λ was chosen among three by the mutual information of the predictions on unlabelled "
    "target images, from one training each on USPS → MNIST; the test accuracy was printed beside it and "
    "was not used"
)


def ddc_network() -> DDC:
    """LeNet with statistics for each domain; the means of its 500 features."""
    return DDC(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=0.003)


def dan_network() -> DAN:
    """LeNet with statistics for each domain; five kernels on its 500 features and its logits."""
    return DAN(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=1.0)


def coral_network() -> DeepCORAL:
    """LeNet with statistics for each domain; the covariances of its logits."""
    return DeepCORAL(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=0.1)


shared = partial(
    Experiment,
    table=OWN,
    protocol=PROTOCOL,
    network=NETWORK + APART,
    selection=SELECTION,
    published=None,
    training=Training(500, optimizer=gan_adam),
    seeds=3,
)
ddc = partial(
    shared,
    title="DDC",
    paper="Tzeng et al., Deep domain confusion, arXiv 1412.3474, 2014",
    method=seeded(ddc_network),
)
dan = partial(
    shared,
    title="DAN",
    paper="Long et al., Learning transferable features with deep adaptation networks, ICML 2015",
    method=seeded(dan_network),
)
coral = partial(
    shared,
    title="Deep CORAL",
    paper="Sun and Saenko, Deep CORAL, ECCV workshops 2016",
    method=seeded(coral_network),
)

MU_DDC = ddc(name="deep-adaptation-mnist-usps-ddc", task=MNIST_USPS, domains=mnist_to_usps)
UM_DDC = ddc(name="deep-adaptation-usps-mnist-ddc", task=USPS_MNIST, domains=usps_to_mnist)
MU_DAN = dan(name="deep-adaptation-mnist-usps-dan", task=MNIST_USPS, domains=mnist_to_usps)
UM_DAN = dan(name="deep-adaptation-usps-mnist-dan", task=USPS_MNIST, domains=usps_to_mnist)
MU_CORAL = coral(name="deep-adaptation-mnist-usps-coral", task=MNIST_USPS, domains=mnist_to_usps)
UM_CORAL = coral(name="deep-adaptation-usps-mnist-coral", task=USPS_MNIST, domains=usps_to_mnist)


LAMBDAS = (0.01, 0.1, 1.0, 10.0, 100.0)  # times the λ of the rows above; of DANN times its 1
RULES = ("source risk", "entropy", "information", "reverse risk")  # none sees a label of the target


def small(seed: int) -> tuple[Domain, Domain, Domain]:
    """The domains of the rows above from USPS to MNIST, 16×16."""
    source, target, test = (domain.images(channels=1, size=16) for domain in usps_to_mnist(seed))
    return source, target.unlabelled(), test


def candidate(name: str, times: float = 1.0) -> Method:
    """A method on the small network, with so many times its λ."""
    features, head = encoder(nets.DomainBatchNorm), nets.mlp(128, 10)
    match name:
        case "DANN":
            return DANN(features, head, nets.mlp(128, 128, 1), lam=times)
        case "DDC":
            return DDC(features, head, lam=0.003 * times)
        case "DAN":
            return DAN(features, head, lam=times)
        case _:
            return DeepCORAL(features, head, lam=0.1 * times)


def chosen(run: Run, name: str) -> dict[str, float]:
    """Train with each λ, let each rule choose, and say what the target's test images make of each choice.

    No rule sees a label of the target; the oracle and the worst do. ``accuracy`` is that of the information rule.
    """
    train_rows, held = run.source.split(0.9, seed=run.seed)
    assert run.target is not None

    def train(source: Domain, target: Domain, times: float) -> Method:
        method = seeded(partial(candidate, name, times))(run.seed)
        fit(method, source, target, steps=500, batch_size=64, seed=run.seed, optimizer=gan_adam, progress=False)
        return method

    risks: dict[str, dict[str, float]] = {rule: {} for rule in RULES}
    scores = {}
    for times in LAMBDAS:
        method, label = train(train_rows, run.target, times), f"λ × {times:g}"
        scores[label] = evaluate.accuracy(method, run.test)
        back: Callable[[Domain, Domain], Method] = partial(train, times=times)
        risks["source risk"][label] = selection.source_risk(method, held)
        risks["entropy"][label] = selection.target_entropy(method, run.target)
        risks["information"][label] = selection.information_risk(method, run.target)
        risks["reverse risk"][label] = selection.reverse_risk(method, train_rows, held, run.target, back)
    picked = {rule: scores[selection.choose(risks[rule])] for rule in RULES}
    return {"accuracy": picked["information"]} | picked | {"oracle": max(scores.values())} | scores


SELECTORS = {
    name: Experiment(
        name=f"deep-adaptation-selectors-{name.lower()}",
        title=f"{title}, λ chosen by each rule",
        paper=paper,
        table=OWN,
        task=USPS_MNIST,
        protocol=f"{PROTOCOL}; here 16×16, and a tenth of the source's images held out. Each of "
        f"{len(LAMBDAS)} λ, a factor of ten apart, is trained for 500 steps of 64 rows a domain, and once more the way "
        "back for the reverse risk; the rules choose without a label of the target, the oracle by the test images",
        network=SMALL + APART,
        selection="this is what the row compares; its accuracy is that of the information rule",
        published=None,
        domains=small,
        method=seeded(partial(candidate, name)),
        measures=partial(chosen, name=name),
        seeds=3,
    )
    for name, title, paper in (
        ("DANN", "DANN", "Ganin et al., Domain-adversarial training of neural networks, JMLR 17(59), 2016"),
        ("DDC", UM_DDC.title, UM_DDC.paper),
        ("DAN", UM_DAN.title, UM_DAN.paper),
        ("CORAL", UM_CORAL.title, UM_CORAL.paper),
    )
}
"""A row a method: how far its accuracy depends on the rule that chooses its λ."""
