"""Errors as a page, for browsers."""

from fastapi import Request, Response

from storemon_api.http.schemas import Problem
from storemon_api.web.page_templates import page_response


def problem_page(request: Request, problem: Problem) -> Response:
    """Return the page that says what is wrong."""
    response = page_response(
        request,
        "problem.html",
        problem.title,
        here="",
        script=None,
        store_id="",
        detail=problem.detail,
    )
    response.status_code = problem.status
    return response
