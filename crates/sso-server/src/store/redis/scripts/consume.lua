-- Store::consume. The caller's nonce lets it ask again when the first answer did not come.
local id, nonce, till = unpack(ARGV, 3)
local held = redis.call('GET', key('j', id))
if held then return held == nonce end
redis.call('SET', key('j', id), nonce, 'PX', lifetime(till))
return true
