"""Walk, and say how far and by which seed."""

from tests.limits.world import World


def walk(
    seed: int, *, steps: int, replicas: int, honest: bool = False, changes: bool = True, others: bool = False
) -> World:
    """Let a world live for so many steps; an error names what leads there again."""
    world = World(seed, replicas=replicas, honest=honest, changes=changes, others=others)
    number = 0
    try:
        while number < steps:
            world.step()
            number += 1
        world.calm()
    except AssertionError as error:
        how = f"replicas={replicas}, honest={honest}, changes={changes}, others={others}"
        raise AssertionError(f"walk({seed}, {how}) fails at step {number}: {error}") from error
    return world
