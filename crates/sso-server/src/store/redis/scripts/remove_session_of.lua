-- Store::remove_unreadable: this session, if it is the user's.
local user, id = unpack(ARGV, 3)
if redis.call('HGET', key('session', id), 'user') == user and remove(id) then return { '1' } end
return { '0' }
