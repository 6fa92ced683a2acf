"""The sections of a document: what a problem is, what is known, and what shall be done with it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ._modeling import LONGEST, Modeling, Number, Symbol, Text

VERSION = "1.0"
"""The version of the form that this package reads."""


class Section(BaseModel):
    """A part of a document, which has no keys but those that it names."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Metadata(Section):
    """What the problem is called."""

    problem_id: Symbol
    title: Text = ""
    domain: Text = ""
    version: Text = ""
    notes: Text = ""


class Known(Section):
    """A quantity whose value is known."""

    symbol: Symbol
    value: Number
    units: Text
    description: Text = ""


class Unknown(Section):
    """A quantity that is sought: a parameter to be fitted within bounds, on a linear or a log scale."""

    symbol: Symbol
    role: Literal["parameter", "state", "input", "output"]
    units: Text
    bounds: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None
    scale: Literal["linear", "log"] = "linear"
    description: Text = ""


class Constraint(Section):
    """An inequality or equality that must hold at all times, to within a tolerance."""

    id: Symbol
    expression: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
    tolerance: Annotated[float, Field(ge=0)] = 1e-9
    description: Text = ""


class Objective(Section):
    """What is to be made small or large."""

    expression: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST)]
    sense: Literal["minimize", "maximize"] = "minimize"


class Input(Section):
    """What is known, what is sought, and what must hold."""

    problem_summary: Text
    scope_objective: Text = ""
    known_quantities: list[Known] = []
    unknowns: list[Unknown] = []
    mechanistic_notes: Text = ""
    hard_constraints: list[Constraint] = []
    soft_preferences: list[Text] = []
    objective: Objective | None = None


class Method(Section):
    """A method, and why it was chosen."""

    name: Text
    justification: Text = ""


class MethodSelection(Section):
    """How the equations are solved: tolerance of adaptive steps, which are implicit where some rates are far
    larger than others (`stiff`), and step, paths and seed with noise."""

    problem_type: Literal["simulation", "inference", "control", "discovery"] = "simulation"
    chosen_methods: list[Method] = []
    tolerance: Annotated[float, Field(ge=1e-14, le=0.1)] = 1e-10
    stiff: bool = False
    step: Annotated[float, Field(gt=0)] | None = None
    paths: Annotated[int, Field(ge=1, le=100_000)] = 1000
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0


class Range(Section):
    """A parameter that is varied between two values."""

    symbol: Symbol
    low: Number
    high: Number


class Sensitivity(Section):
    """Which output at the end is asked for, and over which ranges parameters are varied."""

    output: Symbol
    ranges: list[Range] = []
    samples: Annotated[int, Field(ge=2, le=2**16)] = 256


class Counterfactual(Section):
    """A change of quantities, and what it is expected to do to an output at the end."""

    id: Symbol
    set: dict[Symbol, Number]
    output: Symbol
    expect: Literal["increase", "decrease", "unchanged"]
    tolerance: Annotated[float, Field(ge=0)] = 1e-6


class SolutionAndAnalysis(Section):
    """What is asked of the model."""

    tasks: list[
        Literal["solve_numeric", "infer", "sensitivity", "counterfactuals", "optimize"]
    ] = []
    sensitivity: Sensitivity | None = None
    counterfactuals: list[Counterfactual] = []


class FitQuality(Section):
    """A threshold of a measurement: at most this rmse, or at least this r2."""

    measurement: Symbol
    metric: Literal["rmse", "r2"]
    threshold: Number


class Validation(Section):
    """What is checked of the model and of its fit."""

    unit_consistency_check: bool = True
    fit_quality: list[FitQuality] = []
    identifiability: bool = True


class OutputContract(Section):
    """The sections that a report must have, in this order; all by default."""

    sections: list[Text] = []


class Work(Section):
    """Prior work, cited by its id."""

    id: Symbol
    title: Text
    authors: Text = ""
    year: Annotated[int, Field(ge=1600, le=2200)] | None = None
    link: Text = ""


class NoveltyAssurance(Section):
    """What is new, and what was looked for."""

    statement: Text = ""
    search_queries: list[Text] = []
    prior_work: list[Work] = []


class Document(Section):
    """A model of a model: its equations, with all that is needed to check, run, fit and report them."""

    schema_version: Literal["1.0"]
    metadata: Metadata
    input: Input
    modeling: Modeling
    method_selection: MethodSelection = MethodSelection()
    solution_and_analysis: SolutionAndAnalysis = SolutionAndAnalysis()
    validation: Validation = Validation()
    output_contract: OutputContract = OutputContract()
    novelty_assurance: NoveltyAssurance = NoveltyAssurance()
