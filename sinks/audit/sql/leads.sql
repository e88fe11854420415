-- One row per measure and route: (entity, figures), the figures in the order of leads_published.sql. Durations of 1 ms
-- or more fall into bucket ceil(log(x) / log(gamma)), gamma = 1.01 / 0.99, of 0 ms into -1 (schemas/buckets.py); negative
-- ones (-2 here) are counted apart. The recent window are the 90 days that end with the route's last day.
WITH
    bucket -> if(bucket = -1, 0, toInt64(round(2 * pow(1.01 / 0.99, bucket) / (1.01 / 0.99 + 1)))) AS value_of,
    (q, buckets) -> if(
        empty(buckets),
        NULL,
        toNullable(value_of(
            buckets[arrayFirstIndex(sum -> sum >= ceil(q * arraySum(buckets.2)), arrayCumSum(buckets.2))].1
        ))
    ) AS quantile_of
SELECT
    concat(measure, '|', route) AS entity,
    (
        last_day,
        toInt64(recent_count), toInt64(recent_negative), toInt64(recent_total), toString(recent_squares),
        quantile_of(0.50, recent), quantile_of(0.90, recent), quantile_of(0.95, recent), recent.1, recent.2,
        toInt64(all_count), toInt64(all_negative), toInt64(all_total), toString(all_squares),
        quantile_of(0.50, ever), quantile_of(0.90, ever), quantile_of(0.95, ever), ever.1, ever.2
    ) AS figures
FROM
(
    SELECT
        measure,
        route,
        toNullable(max(last)) AS last_day,
        sumIf(recent_times, bucket != -2) AS recent_count,
        sumIf(recent_times, bucket = -2) AS recent_negative,
        sumIf(recent_sum, bucket != -2) AS recent_total,
        sumIf(recent_sum_of_squares, bucket != -2) AS recent_squares,
        arraySort(groupArrayIf((bucket, toInt64(recent_times)), bucket != -2 AND recent_times > 0)) AS recent,
        sumIf(times, bucket != -2) AS all_count,
        sumIf(times, bucket = -2) AS all_negative,
        sumIf(sum_of_all, bucket != -2) AS all_total,
        sumIf(sum_of_squares, bucket != -2) AS all_squares,
        arraySort(groupArrayIf((bucket, toInt64(times)), bucket != -2)) AS ever
    FROM
    (
        SELECT
            measure,
            route,
            bucket,
            max(last_of_route) AS last,
            sum(count) AS times,
            sum(total) AS sum_of_all,
            sum(squares) AS sum_of_squares,
            sumIf(count, day > last_of_route - 90) AS recent_times,
            sumIf(total, day > last_of_route - 90) AS recent_sum,
            sumIf(squares, day > last_of_route - 90) AS recent_sum_of_squares
        FROM
        (
            SELECT
                measure,
                route,
                day,
                toInt64(multiIf(duration < 0, -2, duration = 0, -1, ceil(log(duration) / log(1.01 / 0.99)))) AS bucket,
                count() AS count,
                sum(duration) AS total,
                sum(toInt256(duration) * duration) AS squares,
                max(day) OVER (PARTITION BY measure, route) AS last_of_route
            FROM {{observations}}
            GROUP BY measure, route, day, bucket
        )
        GROUP BY measure, route, bucket
    )
    GROUP BY measure, route
)
WHERE {{scope}}
