"""The routes of the server, a module per subject, each with `router(services) -> APIRouter`."""
