-- One row per measure and route: (entity, figures), the figures in the order of leads_published.sql. Durations of 1 ms
-- or more fall into bucket ceil(log(x) / log(gamma)), gamma = 1.01 / 0.99, of 0 ms into -1 (schemas/buckets.py); negative
-- ones are counted apart. The recent window are the 90 days that end with the route's last day. Step by step in
-- subqueries, see shipments.sql, and grouped only once.
WITH
    bucket -> if(bucket = -1, 0, toInt64(round(2 * pow(1.01 / 0.99, bucket) / (1.01 / 0.99 + 1)))) AS value_of,
    (q, runs) -> if(
        empty(runs), NULL, toNullable(value_of(arrayFirst(run -> run.1 >= ceil(q * runs[-1].1), runs).2))
    ) AS quantile_of,
    runs -> arrayMap((upto, before) -> toInt64(upto - before), runs.1, arrayShiftRight(runs.1, 1)) AS counts_of
SELECT
    entity,
    (
        last_day,
        toInt64(length(recent)), toInt64(recent_negative), toInt64(arraySum(recent)),
        toString(arraySum(duration -> toInt256(duration) * duration, recent)),
        quantile_of(0.50, recent_runs), quantile_of(0.90, recent_runs), quantile_of(0.95, recent_runs),
        recent_runs.2, counts_of(recent_runs),
        toInt64(length(ever)), toInt64(ever_negative), toInt64(arraySum(ever)),
        toString(arraySum(duration -> toInt256(duration) * duration, ever)),
        quantile_of(0.50, ever_runs), quantile_of(0.90, ever_runs), quantile_of(0.95, ever_runs),
        ever_runs.2, counts_of(ever_runs)
    ) AS figures
FROM
(
    SELECT
        *,
        -- Of each bucket how many observations fall into it or one before it: (count, bucket).
        arrayFilter(
            (one, next) -> one.2 != next,
            arrayZip(arrayEnumerate(recent_buckets), recent_buckets),
            arrayShiftLeft(recent_buckets, 1, toInt64(-2))
        ) AS recent_runs,
        arrayFilter(
            (one, next) -> one.2 != next,
            arrayZip(arrayEnumerate(ever_buckets), ever_buckets),
            arrayShiftLeft(ever_buckets, 1, toInt64(-2))
        ) AS ever_runs
    FROM
    (
        SELECT
            *,
            length(all_recent) - length(recent) AS recent_negative,
            length(all_ever) - length(ever) AS ever_negative,
            arrayMap(
                duration -> toInt64(if(duration = 0, -1, ceil(log(duration) / log(1.01 / 0.99)))), recent
            ) AS recent_buckets,
            arrayMap(duration -> toInt64(if(duration = 0, -1, ceil(log(duration) / log(1.01 / 0.99)))), ever) AS ever_buckets
        FROM
        (
            SELECT
                *,
                arrayFilter(duration -> duration >= 0, all_recent) AS recent,
                arrayFilter(duration -> duration >= 0, all_ever) AS ever
            FROM
            (
                SELECT
                    entity,
                    last_day,
                    arraySort(arrayFilter((duration, day) -> day > last_day - 90, seen.2, seen.1)) AS all_recent,
                    arraySort(seen.2) AS all_ever
                FROM
                (
                    SELECT
                        concat(measure, '|', route) AS entity,
                        max(day) AS last_day,
                        groupArray((day, duration)) AS seen
                    FROM {{observations}}
                    WHERE {{scope}}
                    GROUP BY entity
                )
            )
        )
    )
)
