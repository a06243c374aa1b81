"""What the OpenAPI document says beyond the routes: who may call them, and the refusals that any of them may answer with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from serving.doors import DOORS
from serving.problem import documented
from serving.webhook_described import describe, mended

_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key, or a token of the identity provider if one is set"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "an API key, for clients that cannot send the other"},
}


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an application whose routes are those of :data:`serving.doors.DOORS`."""
    if app.openapi_schema is None:
        describe(app.webhooks)
        schema = FastAPI.openapi(app)
        mended(schema)
        schema["components"]["securitySchemes"] = _SCHEMES
        for name in ("HTTPValidationError", "ValidationError"):
            schema["components"]["schemas"].pop(name, None)
        for door in DOORS:
            operation = schema["paths"].get(door.path, {}).get(door.method.lower())
            if operation is None:
                continue
            if door.scope is None:
                operation["security"] = []
                continue
            operation["security"] = [{"key": []}, {"header": []}]
            operation["x-scope"] = " or ".join(door.scopes)
            for status, response in documented(401, 403, 429).items():
                operation["responses"].setdefault(str(status), response)
        app.openapi_schema = schema
    return app.openapi_schema
