-- Return a session, and let it live on.
local why = missing()
if why then return why end
touch()
return { head(KEYS[1]), redis.call('HGET', KEYS[1], 'instructions'), redis.call('LRANGE', KEYS[2], 0, -1) }
