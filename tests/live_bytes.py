"""How many bytes of tensors live at once, followed operation by operation; works on tensors without data."""

from typing import Any

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):
    """`peak` is the most that tensors made inside the `with` block held together; inputs do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._held: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {part.untyped_storage()._cdata for part in tree_iter((args, kwargs)) if isinstance(part, Tensor)}
        output = func(*args, **(kwargs or {}))
        for part in tree_iter(output):
            if isinstance(part, Tensor) and (storage := part.untyped_storage())._cdata not in given:
                self._held[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self._held = {address: held for address, held in self._held.items() if not held[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._held.values()))
        return output
