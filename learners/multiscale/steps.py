"""What a backbone does, step by step: its modules are the steps (:mod:`torch.fx`)."""

from collections.abc import Callable, Sequence

from torch import Tensor, fx, nn

__all__ = ["BackboneSteps"]


class BackboneSteps:
    r"""The steps that lead from a picture to the maps of all scales.

    Parameters
    ----------
    net : torch.nn.Module
        The backbone.
    maps : callable
        Makes its maps of float32 (n_images, 3, size, size), by calling modules of `net`.

    Attributes
    ----------
    picture : torch.fx.Node
    maps : list of torch.fx.Node
        :math:`M_1, \dots, M_K`.
    stages : list of torch.fx.Node
        The maps behind each step that is several layers with a convolution among them.
    """

    picture: fx.Node
    maps: list[fx.Node]
    stages: list[fx.Node]

    def __init__(self, net: nn.Module, maps: Callable[[Tensor], Sequence[Tensor]]) -> None:
        self._whole = _Maps(net, maps)
        graph = _Tracer().trace(self._whole)
        (output,) = (node for node in graph.nodes if node.op == "output")
        (self.picture,) = (node for node in graph.nodes if node.op == "placeholder")
        self.maps = list(output.args[0])
        called = [node for node in graph.nodes if node.op == "call_module"]
        self.stages = [node for node in called if self._is_stage(node)]

    @classmethod
    def of(
        cls, net: nn.Module, maps: Callable[[Tensor], Sequence[Tensor]]
    ) -> "BackboneSteps | None":
        """Follow a backbone; None where it does something that cannot be followed."""
        try:
            return cls(net, maps)
        except Exception:  # whatever a network does that tracing cannot follow
            return None

    def between(
        self, inputs: Sequence[fx.Node], outputs: Sequence[fx.Node]
    ) -> fx.GraphModule | None:
        """Return what leads from the results of some steps to those of others.

        Parameters
        ----------
        inputs, outputs : sequence of torch.fx.Node

        Returns
        -------
        torch.fx.GraphModule or None
            Shares its modules with the backbone; takes as many maps as there are inputs, and
            returns a tuple. None where more than the inputs is needed.
        """
        needed: set[fx.Node] = set()
        waiting = list(outputs)
        while waiting:
            node = waiting.pop()
            if node in needed:
                continue
            needed.add(node)
            if node in inputs:
                continue
            if node.op == "placeholder":
                return None
            waiting += node.all_input_nodes
        part = fx.Graph()
        copies = {node: part.placeholder(f"given_{place}") for place, node in enumerate(inputs)}
        for node in self.picture.graph.nodes:
            if node in needed and node not in copies:
                copies[node] = part.node_copy(node, copies.__getitem__)
        part.output(tuple(copies[node] for node in outputs))
        return fx.GraphModule(self._whole, part)

    def _is_stage(self, node: fx.Node) -> bool:
        module = self._whole.get_submodule(str(node.target))
        layers = list(module.children())
        return len(layers) > 0 and any(isinstance(one, nn.Conv2d) for one in module.modules())


class _Maps(nn.Module):
    def __init__(self, net: nn.Module, maps: Callable[[Tensor], Sequence[Tensor]]) -> None:
        super().__init__()
        self.net = net
        self._maps = (maps,)  # of a tower, whose modules shall not be found here again

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._maps[0](x))


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return True
