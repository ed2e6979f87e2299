"""Directions, turns and normals in three dimensions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def cross(first: npt.NDArray, second: npt.NDArray) -> npt.NDArray:
    """Returns the vector product along the first axis; NumPy's own is slow on small arrays."""
    return np.stack(
        [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ]
    )


def normals(position: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Returns the unit normals of a grid of points, both float32 [3, rows, columns].

    The differences are one-sided: half a step away from the true place, which nobody sees.
    """
    along, across = np.empty_like(position), np.empty_like(position)
    np.subtract(position[:, 1:], position[:, :-1], out=along[:, :-1])
    along[:, -1] = along[:, -2]
    np.subtract(position[:, :, 1:], position[:, :, :-1], out=across[:, :, :-1])
    across[:, :, -1] = across[:, :, -2]
    normal = cross(along, across)
    length = np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2])
    return normal / np.maximum(length, np.float32(1e-12))


def frames(axes: Doubles, rolls: Doubles) -> Doubles:
    """Returns rotations whose third column is a given direction.

    Args:
        axes: float64 [P, 3], of any length.
        rolls: float64 [P], turn about the direction in radians.

    Returns:
        float64 [P, 3, 3].
    """
    third = (axes / np.sqrt((axes**2).sum(axis=1, keepdims=True))).T
    # The reference is the picture's vertical, unless the direction itself is nearly vertical.
    steep = np.abs(third[1]) >= 0.9
    helper = np.stack([np.where(steep, 1.0, 0.0), np.where(steep, 0.0, 1.0), np.zeros(len(axes))])
    first = cross(helper, third)
    first /= np.sqrt((first**2).sum(axis=0))
    second = cross(third, first)
    cosine, sine = np.cos(rolls), np.sin(rolls)
    columns = [first * cosine + second * sine, second * cosine - first * sine, third]
    return np.stack(columns, axis=1).T.swapaxes(1, 2)


def around(azimuth: Doubles, lift: Doubles, twist: Doubles) -> Doubles:
    """Returns rotations of petals: about their own axes first, then around the flower's.

    Args:
        azimuth: float64 [P], the petal's place around the axis, in radians.
        lift: float64 [P], how far it is raised towards the axis.
        twist: float64 [P], its turn about its own length.

    Returns:
        float64 [P, 3, 3].
    """
    zero, one = np.zeros_like(azimuth), np.ones_like(azimuth)

    def matrix(*entries: Doubles) -> Doubles:
        return np.stack(entries, axis=-1).reshape(-1, 3, 3)

    ct, st = np.cos(twist), np.sin(twist)
    cl, sl = np.cos(lift), np.sin(lift)
    ca, sa = np.cos(azimuth), np.sin(azimuth)
    about_length = matrix(one, zero, zero, zero, ct, -st, zero, st, ct)
    about_side = matrix(cl, zero, -sl, zero, one, zero, sl, zero, cl)
    about_axis = matrix(ca, -sa, zero, sa, ca, zero, zero, zero, one)
    return about_axis @ about_side @ about_length
