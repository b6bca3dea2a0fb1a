"""From the bodies of requests to pictures: files are read on threads, and never more than a request may hold."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from kg_pipeline.serving.errors import RefusedError, TooLargeError
from kg_pipeline.serving.groups import PictureTexts
from kg_pipeline.serving.pictures import Picture, read_base64, read_path
from kg_pipeline.serving.schemas import ImageSource, RerankRequest, ScoreRequest
from kg_pipeline.serving.services import Services

Read = Callable[[], Picture]


async def pictures_of(request: RerankRequest, services: Services) -> list[Picture]:
    """Paths, then pictures in base64, then ids, in their order. Raises ServingError."""
    count = len(request.image_paths) + len(request.images) + len(request.image_ids)
    if not count:
        raise RefusedError("no pictures: give image_paths, images or image_ids")
    services.reranking.check_count(count)
    limits = services.settings.limits.of_images
    reads: list[Read] = [partial(_path, path, services) for path in request.image_paths]
    reads += [partial(read_base64, image.name, image.data, limits) for image in request.images]
    reads += [partial(services.home_pictures.read, image_id) for image_id in request.image_ids]
    return await asyncio.to_thread(_read_all, reads, services)


async def groups_of(request: ScoreRequest, services: Services) -> list[PictureTexts]:
    """The groups of a request with their pictures, long texts cut. Raises ServingError."""
    services.reranking.check_count(len(request.groups))
    most = services.settings.limits.score_characters
    reads: list[Read] = [partial(_source, group.image_id, group.image, services) for group in request.groups]
    pictures = await asyncio.to_thread(_read_all, reads, services)
    return [
        PictureTexts(picture, tuple(text[:most] for text in group.texts))
        for picture, group in zip(pictures, request.groups, strict=True)
    ]


async def picture_of(image: ImageSource, services: Services) -> Picture:
    """One picture. Raises ServingError."""
    return await asyncio.to_thread(_source, "image", image, services)


def _read_all(reads: Iterable[Read], services: Services) -> list[Picture]:
    return list(_within(services.settings.limits.body_bytes, (read() for read in reads)))


def _within(most: int, pictures: Iterator[Picture]) -> Iterator[Picture]:
    """Files that a request names count like those that it brings. Raises TooLargeError."""
    total = 0
    for picture in pictures:
        total += len(picture.data or b"")
        if total > most:
            raise TooLargeError(f"the pictures are larger than {most} bytes together")
        yield picture


def _path(written: str, services: Services) -> Picture:
    return read_path(written, services.settings.roots, services.settings.limits.of_images)


def _source(name: str, image: ImageSource, services: Services) -> Picture:
    if sum(each is not None for each in (image.data, image.path, image.id)) != 1:
        raise RefusedError("image: give exactly one of data, path, id")
    if image.path is not None:
        return _path(image.path, services)
    if image.id is not None:
        return services.home_pictures.read(image.id)
    return read_base64(name, image.data or "", services.settings.limits.of_images)
