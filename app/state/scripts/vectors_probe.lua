-- Say whether this server has vector sets, and lets us use them.
-- KEYS[1]  vector set: none
local answer = redis.pcall('VCARD', KEYS[1])
return type(answer) == 'table' and 0 or 1
