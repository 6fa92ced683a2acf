"""Where clouds come to rest: growth about the uniform law, branches of stationary states, saddles."""

from ._least_effort import LeastEffort as LeastEffort, least_effort as least_effort
from .clouds import (
    CloudString as CloudString,
    CriticalPoint as CriticalPoint,
    CriticalPoints as CriticalPoints,
    HeteroclinicGraph as HeteroclinicGraph,
    MorseCount as MorseCount,
    cloud_string as cloud_string,
    critical_points as critical_points,
    escape_rates as escape_rates,
    hessian as hessian,
    hessian_index as hessian_index,
    heteroclinic_graph as heteroclinic_graph,
    morse_count as morse_count,
    saddle as saddle,
)
from .decisions import (
    AtSaddles as AtSaddles,
    Basins as Basins,
    DecisionTimes as DecisionTimes,
    DwellTime as DwellTime,
    Pushes as Pushes,
    basins as basins,
    decision_times as decision_times,
    dwell_time as dwell_time,
    pushes as pushes,
)
from .densities import (
    Barrier as Barrier,
    Branch as Branch,
    Crossing as Crossing,
    Profile as Profile,
    Stationary as Stationary,
    String as String,
    barrier as barrier,
    branch as branch,
    critical_noise as critical_noise,
    crossing as crossing,
    fastest_mode as fastest_mode,
    growth_rates as growth_rates,
    stationary as stationary,
    string as string,
    tricritical_beta as tricritical_beta,
)
from .times import (
    RandomPair as RandomPair,
    Survival as Survival,
    alignment_blow_up as alignment_blow_up,
    attended_share as attended_share,
    committor as committor,
    escape_time as escape_time,
    kramers_time as kramers_time,
    passage_time as passage_time,
    survival as survival,
)
