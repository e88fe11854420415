-- one row per epoch, the newest first: epoch, started_at, ended_at (NULL while its rebuild goes on), shown
SELECT epoch, started_at, ended_at, if(epoch = (SELECT epoch FROM current_epoch), 'shown', '') AS shown
FROM epochs FINAL
ORDER BY epoch DESC
LIMIT 50
