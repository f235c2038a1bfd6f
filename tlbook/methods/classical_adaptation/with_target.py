"""A closed-form method that holds its target, for the tools of scikit-learn that know one data set only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tlbook._arrays import as_array, check_fitted, fresh
from tlbook.errors import TlbookError
from tlbook.methods.classical_adaptation.estimator import ClosedForm, Side

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["WithTarget"]


class WithTarget(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A closed-form method and the target it adapts to, as one estimator with ``fit(x, y)``.

    ``GridSearchCV`` and ``cross_val_score`` cut what they are given with the folds of the source, and a pipeline scales
    the source alone. Here the target stays whole in every fold, and goes through the steps before the method as they
    were fitted on the source.

    Nobody can tell from this how well the target is read, and no label of it comes in: what is held out are rows of the
    source, so ``score`` reads them as such. It says which settings still know the task, and not which adapt.
    ``predict`` takes rows of the target; a search with ``scoring=`` of its own asks ``predict``.

    Args:
        method: a closed-form method such as ``TCA(dim=2)``, or a pipeline that ends in one.
        target_x: M×D unlabelled rows of the target, before the pipeline's steps.

    Attributes:
        steps_: what comes before the method, fitted on the source.
        method_: the method, fitted.
        classes_: the labels that the source has, sorted.

    Raises:
        TlbookError: in ``fit``, for another method, or as that of the method.

    Example:
        >>> import numpy as np
        >>> from sklearn.model_selection import GridSearchCV
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from tlbook.methods import TCA
        >>> rng = np.random.default_rng(0)
        >>> source_y = np.arange(100) % 2
        >>> source_x = rng.normal(size=(100, 3)) + 6 * np.outer(source_y, [1, 0, 0])
        >>> target_x = source_x + [0, 9, 0]
        >>> method = WithTarget(make_pipeline(StandardScaler(), TCA()), target_x)
        >>> search = GridSearchCV(method, {"method__tca__dim": [1, 2, 3]}).fit(source_x, source_y)
        >>> search.best_params_
        {'method__tca__dim': 2}
        >>> float((search.predict(target_x) == source_y).mean())
        1.0
    """

    def __init__(self, method: ClosedForm | Pipeline, target_x: ArrayLike | Tensor) -> None:
        self.method = method
        self.target_x = target_x

    def fit(self, x: ArrayLike | Tensor, y: ArrayLike | Tensor) -> Self:
        """Fit the steps on labelled source rows N×D, and the method on what they make of both domains."""
        method = fresh("method", self.method, "predict")
        steps, last = FunctionTransformer(), method
        if isinstance(method, Pipeline):
            last = method[-1]
            if len(method) > 1:
                steps = method[:-1]
        if not isinstance(last, ClosedForm):
            raise TlbookError(
                f"method is or ends in {type(last).__name__}; expected TCA, GFK, SubspaceAlignment, JDA or BDA: these "
                "adapt to a target without training steps"
            )
        source_z = steps.fit_transform(as_array(x), as_array(y))
        self.steps_, self.method_ = steps, last.fit(source_z, y, steps.transform(as_array(self.target_x)))
        self.classes_ = last.classes_
        return self

    def predict(self, x: ArrayLike | Tensor, domain: Side = "target") -> NDArray[Any]:
        """The label of each row N×D of a domain, as :meth:`ClosedForm.predict`."""
        check_fitted(self)
        return self.method_.predict(self.steps_.transform(as_array(x)), domain)

    def score(self, x: ArrayLike | Tensor, y: ArrayLike | Tensor) -> float:
        """The share of labelled rows *of the source* that are classified right, 0 … 1."""
        check_fitted(self)
        return self.method_.score(self.steps_.transform(as_array(x)), y, "source")
