"""Where clouds come to rest: growth about the uniform law, branches of stationary states, saddles."""

from typing import TYPE_CHECKING

from .._lazy import offers

if TYPE_CHECKING:
    from ._least_effort import LeastEffort as LeastEffort, least_effort as least_effort
    from .clouds import (
        CloudString as CloudString,
        ConsensusRates as ConsensusRates,
        CriticalPoint as CriticalPoint,
        CriticalPoints as CriticalPoints,
        HeteroclinicGraph as HeteroclinicGraph,
        MorseCount as MorseCount,
        Walk as Walk,
        cloud_string as cloud_string,
        consensus_rates as consensus_rates,
        critical_points as critical_points,
        escape_rates as escape_rates,
        hessian as hessian,
        hessian_index as hessian_index,
        heteroclinic_graph as heteroclinic_graph,
        morse_count as morse_count,
        saddle as saddle,
        walk as walk,
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
        DensitySaddle as DensitySaddle,
        Profile as Profile,
        Stationary as Stationary,
        String as String,
        barrier as barrier,
        branch as branch,
        critical_noise as critical_noise,
        crossing as crossing,
        density_saddle as density_saddle,
        fastest_mode as fastest_mode,
        growth_rates as growth_rates,
        stationary as stationary,
        string as string,
        tricritical_beta as tricritical_beta,
    )
    from .times import (
        CircleCommittor as CircleCommittor,
        MinimumAction as MinimumAction,
        RandomPair as RandomPair,
        RunCommittor as RunCommittor,
        Survival as Survival,
        action as action,
        alignment_blow_up as alignment_blow_up,
        attended_share as attended_share,
        committor as committor,
        committor_by_runs as committor_by_runs,
        committor_on_circle as committor_on_circle,
        escape_time as escape_time,
        kramers_time as kramers_time,
        minimum_action as minimum_action,
        passage_time as passage_time,
        survival as survival,
    )

__getattr__, __dir__ = offers(__name__)
