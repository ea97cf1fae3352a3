"""The networks of `cnnlab.zoo`, built by PyTorch, to race against."""

from cnnlab import layers, zoo


def torch_network(torch, model, *, channels_last: bool):
    """The layers of a Sequential of ours, in PyTorch. ReLU works in place, as is usual there."""
    nn, built = torch.nn, []
    for layer, shape in zip(model.layers, model.shapes, strict=False):
        match layer:
            case layers.Conv():
                options = {"stride": layer.stride, "padding": layer.pad, "groups": layer.groups}
                built.append(nn.Conv2d(shape[2], layer.filters, layer.kernel_size, **options))
            case layers.MaxPool():
                built.append(nn.MaxPool2d(layer.kernel_size, layer.stride))
            case layers.AvgPool():
                built.append(nn.AvgPool2d(layer.kernel_size, layer.stride))
            case layers.LRN():
                # PyTorch takes the mean of the squares, where the paper takes their sum.
                alpha = layer.alpha * layer.n
                built.append(nn.LocalResponseNorm(layer.n, alpha, layer.beta, layer.k))
            case layers.Affine():
                built.append(nn.Linear(shape[0], layer.units))
            case layers.ReLU():
                built.append(nn.ReLU(inplace=True))
            case layers.Tanh():
                built.append(nn.Tanh())
            case layers.Dropout():
                built.append(nn.Dropout(layer.rate))
            case layers.Flatten():
                built.append(nn.Flatten())
            case _:
                raise TypeError(f"a layer that has a peer here is expected, got {layer!r}.")
    network = nn.Sequential(*built)
    return network.to(memory_format=torch.channels_last) if channels_last else network


def torch_step(torch, model, x, y, *, channels_last: bool, recipe: dict):
    """(forward, step) of PyTorch on these images: functions without arguments."""
    network = torch_network(torch, model, channels_last=channels_last)
    images = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    labels, loss = torch.from_numpy(y), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(network.parameters(), fused=True, **recipe)

    def step():
        network.train()
        optimizer.zero_grad(set_to_none=True)
        loss(network(images), labels).backward()
        optimizer.step()

    def forward():
        network.eval()
        with torch.inference_mode():
            return network(images)

    return forward, step


def networks():
    """Name → (builder, image shape, classes)."""
    return {
        "alexnet": (zoo.alexnet, (227, 227, 3), 1000),
        "alexnet_small": (zoo.alexnet_small, (32, 32, 3), 10),
        "lenet": (zoo.lenet, (28, 28, 1), 10),
    }
