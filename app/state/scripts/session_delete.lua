-- Forget a session.
local why = missing()
if why then return why end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('ZREM', KEYS[3], ID)
return 'done'
