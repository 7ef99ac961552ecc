"""A run's figures as lines to read."""

from __future__ import annotations

from unmask.training.result import SplitFigures


def classification_report(figures: SplitFigures) -> str:
    """Precision, recall, F1 and support by class, and the figures over both, of one split."""
    lines = [f"{figures.split} ({figures.n} crops)", f"{'':>8} precision  recall      F1  support"]
    for name, of_class in (("real", figures.real), ("fake", figures.fake)):
        shares = f"{of_class.precision:9.3f} {of_class.recall:7.3f} {of_class.f1:7.3f}"
        lines.append(f"{name:>8} {shares} {of_class.support:8d}")
    lines.append(
        f"accuracy {figures.accuracy:.4f} [{figures.accuracy_low:.4f}, {figures.accuracy_high:.4f}], "
        f"always the larger class {figures.majority:.4f}, balanced {figures.balanced_accuracy:.4f}"
    )
    lines.append(
        f"AUC {figures.auc:.4f} [{figures.auc_low:.4f}, {figures.auc_high:.4f}], EER {figures.eer:.4f}"
    )
    return "\n".join(lines)
