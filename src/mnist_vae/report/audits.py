"""Whether the KL of each VAE is too weak or too strong, beside what its samples look like."""

from __future__ import annotations

from collections.abc import Mapping

from mnist_vae.errors import InputError
from mnist_vae.files.store import AGAIN
from mnist_vae.measure import audit
from mnist_vae.report.document import Block, Cell, DefinitionList, Paragraph, Table
from mnist_vae.report.tables import ABSENT, Metrics, cite, number, show

_AUDITED = {
    "audit.beta": "variance implied: β beside ½ squared error",
    "audit.calibrated_variance": "variance shown",
    "audit.ratio": "times too weak",
    "rate.kl": "KL, nats",
}


def audits(measured: Mapping[str, Metrics], real: Metrics) -> list[Block]:
    """What the audit says of each VAE, in sentences and in numbers; nothing of autoencoders.

    Raises InputError where a model's numbers allow no audit.
    """
    rows, findings = [], []
    for name, metrics in measured.items():
        values = [number(metrics, path) for path in _AUDITED]
        beta, variance, _, rate = values
        if beta is None or rate is None:
            continue
        sentence = _finding(name, beta, variance, rate)
        rows.append([Cell(name), *(Cell(ABSENT if v is None else show(v)) for v in values)])
        findings.append((name, [f"{sentence}{_as_samples_look(metrics, real)}"]))
    if not rows:
        return []
    introduction = (
        "A squared error with a KL weight hides a Gaussian decoder of some variance. Set beside "
        "the variance that the decoder's error on the test images shows, it says how many times "
        "weaker the KL is than in the ELBO of that decoder ("
    )
    calibrated = "). A decoder that was trained with the variance of its error is near 1 by nature."
    return [
        Paragraph([introduction, cite("Rybkin et al. 2021"), calibrated]),
        DefinitionList(findings),
        Table("Audit of the KL", ["", *_AUDITED.values()], {"": rows}),
    ]


def _as_samples_look(metrics: Metrics, real: Metrics) -> str:
    """What is seen of a model's samples from its own prior, in a sentence."""
    path = "samples.standard.confident"
    seen, of_real = number(metrics, path), number(real, "confident")
    if seen is None or of_real is None:
        return ""
    return (
        f" The classifier reads {show(seen, 3)}% of its samples from N(0, I) with a probability "
        f"above 0.9, and {show(of_real, 3)}% of real images."
    )


def _finding(name: str, beta: float, variance: float | None, rate: float) -> str:
    """What the audit says of a model, in a sentence; only a Gaussian decoder has a variance."""
    try:
        if variance is None:
            return audit.audit_bernoulli(kl_weight=beta, rate=rate).sentence
        return audit.audit_gaussian(
            kl_weight=beta, mean_squared_error=variance, rate=rate, variance=1
        ).sentence
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"reports/metrics/{name}.json: audit: {error}{AGAIN}") from None
