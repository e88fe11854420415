-- one row: shifted, routes of the chosen measure whose lead time has shifted, not acknowledged
SELECT count() AS shifted
FROM exceptions_open
WHERE kind = 'lead_time_shift'
    AND acknowledged = 0
    AND startsWith(entity, concat(${measure:singlequote}, '|'))
