-- one row: seconds since the oldest receipt that was not put away; NULL where nothing waits
SELECT if(count() = 0, NULL, toFloat64(max(dateDiff('second', assumeNotNull(oldest_since), now64(3, 'UTC'))))) AS seconds
FROM site_backlog
WHERE oldest_since IS NOT NULL
    AND $__conditionalAll(site IN (${site:singlequote}), $site)
