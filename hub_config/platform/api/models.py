"""The addresses of shared models and their files."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from hub_config.audit import audit
from hub_config.platform.api.parameters import File, Hash, List, Name, OfOwner, Owner, Search, Version, number
from hub_config.platform.api.services import Use
from hub_config.platform.api.signin import SignedIn
from imagine_lib.wire import ModelVersion, Page, Published, PublishRequest, SharedModel, WithdrawRequest

router = APIRouter(tags=["models"])

RAW_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}
STRANGERS_FILE = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}
"""A package may hold HTML from anyone: no browser may ever show it as a page of the hub."""
BROUGHT_BEFORE: dict[int | str, dict[str, Any]] = {200: {"description": "You had brought it before."}}
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "It is what `If-None-Match` names."}}


@router.put("/blobs/{sha256}", status_code=201, openapi_extra=RAW_BODY, responses=BROUGHT_BEFORE)
async def upload(use: Use, caller: SignedIn, sha256: Hash, request: Request, response: Response) -> dict[str, str]:
    """Take a file of a package in: 201 when it is new, 200 when you had brought it before."""
    length = int(request.headers["content-length"])
    if not await use.blobs.receive(caller, sha256, length, request.stream()):
        response.status_code = 200
    return {"sha256": sha256}


@router.post("/models/{name}/versions", status_code=201, responses=BROUGHT_BEFORE)
def publish(use: Use, caller: SignedIn, name: Name, body: PublishRequest, response: Response) -> Published:
    """Publish uploaded files: 201 for a new version, 200 when this very package was published before."""
    version, new = use.models.publish(caller, name, body)
    if new:
        audit("shared", user=caller.name, model=name, version=version.version, audience=version.audience)
    else:
        response.status_code = 200
    return Published(**dict(version), warnings=use.people.warnings(version.audience))


@router.get("/models")
def models(use: Use, caller: SignedIn, paging: List, q: Search = "", owner: OfOwner = None) -> Page[SharedModel]:
    """Return the shared models that you may load, each as its newest version."""
    return use.models.newest(caller, q, owner, paging)


@router.get("/models/{owner}/{name}")
def versions(use: Use, caller: SignedIn, owner: Owner, name: Name, paging: List) -> Page[ModelVersion]:
    """Return a model's versions, newest first."""
    return use.models.versions(caller, owner, name, paging)


@router.get("/models/{owner}/{name}/versions/{version}")
def one_version(use: Use, caller: SignedIn, owner: Owner, name: Name, version: Version) -> ModelVersion:
    """Return one version."""
    return use.models.version(caller, owner, name, number(version))


@router.get(
    "/models/{owner}/{name}/versions/{version}/files/{path:path}",
    response_class=StreamingResponse,
    responses=UNCHANGED,
)
def download(
    use: Use,
    caller: SignedIn,
    owner: Owner,
    name: Name,
    version: Version,
    path: File,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Stream a file of a version."""
    entry, chunks = use.models.file(caller, owner, name, number(version), path)
    headers = {**STRANGERS_FILE, "ETag": f'"{entry.sha256}"'}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(entry.size)
    return StreamingResponse(chunks, headers=headers, media_type="application/octet-stream")


@router.post("/models/{owner}/{name}/versions/{version}/withdraw")
def withdraw(
    use: Use, caller: SignedIn, owner: Owner, name: Name, version: Version, body: WithdrawRequest
) -> ModelVersion:
    """Take a version back: it stays listed, with the reason, and can no longer be loaded."""
    withdrawn = use.models.withdraw(caller, owner, name, number(version), body.reason)
    audit("withdrawn", user=caller.name, model=f"{owner}/{name}", version=withdrawn.version)
    return withdrawn
