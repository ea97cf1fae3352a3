"""Results in the forms that other programs read: Gradescope, JUnit, GitHub Classroom."""

import json
import re
import xml.etree.ElementTree as ET

from cnnlab.check.verdict import NOT_ATTEMPTED, RIGHT
from cnnlab.grading.gradebook import Row
from cnnlab.grading.report import NOT_GRADED, Report

# What XML cannot hold at all.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def gradescope(report: Report) -> dict:
    """What Gradescope expects of an autograder in results/results.json.

    Where nothing could be graded there is no score, and Gradescope reports an error in place of
    a zero.
    """
    tests = [
        {
            "name": question["id"],
            "score": question["points"],
            "max_score": question["out_of"],
            "status": "passed" if question["status"] == RIGHT else "failed",
            "output": _said(question),
            "output_format": "text",
            "visibility": "visible",
        }
        for question in report.questions
        if question["points"] is not None and question["status"] != NOT_GRADED
    ]
    words = report.for_learner()["message"] or report.status
    found = {"output": words, "visibility": "visible", "tests": tests}
    return found if report.score is None else found | {"score": report.score}


def junit(rows: list[Row]) -> bytes:
    """All results as one JUnit file: a suite for each submission, a case for each question.

    A wrong answer is a failure, what could not be graded an error; what is not attempted or left
    to a person is skipped.
    """
    suites = ET.Element("testsuites", name="cnnlab")
    for row in rows:
        name = _xml(f"{row.submission.student} {row.submission.assignment}".strip())
        suite = ET.SubElement(suites, "testsuite", name=name)
        for question in row.report.questions:
            case = ET.SubElement(suite, "testcase", classname=name, name=_xml(question["id"]))
            _outcome(case, question)
        if row.report.score is None:
            case = ET.SubElement(suite, "testcase", classname=name, name="submission")
            words = _xml(row.report.message or row.report.status)
            ET.SubElement(case, "error", message=row.report.status).text = words
        for kind, tag in (("tests", "testcase"), ("failures", "*/failure"), ("errors", "*/error")):
            suite.set(kind, str(len(suite.findall(tag))))
        suite.set("skipped", str(len(suite.findall("*/skipped"))))
    ET.indent(suites)
    return ET.tostring(suites, encoding="utf-8", xml_declaration=True)


def classroom(report: Report) -> list[str]:
    """The lines of a workflow's log from which GitHub Classroom takes the points."""
    if report.score is None:
        return [f"::error title=Autograding::{report.status}"]
    numbers = json.dumps({"totalPoints": report.score, "maxPoints": report.out_of or 0})
    return [
        f"::notice title=Autograding complete::Points {report.score}/{report.out_of or 0}",
        f"::notice title=Autograding report::{numbers}",
    ]


def _outcome(case, question) -> None:
    status, text = question["status"], _xml(_said(question))
    if question["points"] is None or status == NOT_ATTEMPTED:
        ET.SubElement(case, "skipped", message=_xml(status))
    elif status == NOT_GRADED:
        ET.SubElement(case, "error", message=_xml(status)).text = text
    elif status != RIGHT:
        ET.SubElement(case, "failure", message=_xml(status)).text = text


def _said(question: dict) -> str:
    return question["message"] or question["status"]


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
