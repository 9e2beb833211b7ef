//! The numbers of operations and errors (`ZooDefs.OpCode`, `KeeperException.Code`).

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// The number on the wire.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The meaning of a number, if it has one.
            #[must_use]
            pub const fn from_code(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// The name, as ZooKeeper spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }
    };
}

codes! {
    /// What a client asks for.
    OpCode {
        /// Create a node.
        Create = 1,
        /// Delete a node.
        Delete = 2,
        /// Stat of a node.
        Exists = 3,
        /// Data and stat.
        GetData = 4,
        /// Replace the data.
        SetData = 5,
        /// ACL and stat.
        GetAcl = 6,
        /// Replace the ACL.
        SetAcl = 7,
        /// Names of children.
        GetChildren = 8,
        /// Catch up with the leader.
        Sync = 9,
        /// Keep the session alive.
        Ping = 11,
        /// Names of children and stat.
        GetChildren2 = 12,
        /// Check a version (inside multi).
        Check = 13,
        /// Several writes as one.
        Multi = 14,
        /// Create a node and return its stat.
        Create2 = 15,
        /// Change the membership.
        Reconfig = 16,
        /// Ask whether a watch is there.
        CheckWatches = 17,
        /// Remove a watch.
        RemoveWatches = 18,
        /// Create a container.
        CreateContainer = 19,
        /// Remove an empty container.
        DeleteContainer = 20,
        /// Create a node with a time to live.
        CreateTtl = 21,
        /// Several reads at once.
        MultiRead = 22,
        /// Prove an identity.
        Auth = 100,
        /// Re-register watches.
        SetWatches = 101,
        /// A SASL token.
        Sasl = 102,
        /// The session's ephemerals.
        GetEphemerals = 103,
        /// Recursive count of children.
        GetAllChildrenNumber = 104,
        /// Re-register watches, persistent ones too.
        SetWatches2 = 105,
        /// Register a persistent watch.
        AddWatch = 106,
        /// Who am I.
        WhoAmI = 107,
        /// Begin a session (internal).
        CreateSession = -10,
        /// End the session.
        CloseSession = -11,
        /// A failed write's place in the log (internal).
        Error = -1,
    }
}

codes! {
    /// Why a request failed.
    ErrorCode {
        /// No failure.
        Ok = 0,
        /// The server's own fault.
        SystemError = -1,
        /// An invariant of the server is broken.
        RuntimeInconsistency = -2,
        /// Data and metadata disagree.
        DataInconsistency = -3,
        /// The connection broke.
        ConnectionLoss = -4,
        /// The request could not be decoded.
        MarshallingError = -5,
        /// The operation is not known here.
        Unimplemented = -6,
        /// The operation took too long.
        OperationTimeout = -7,
        /// An argument cannot be, such as a path without '/'.
        BadArguments = -8,
        /// The session is not known.
        UnknownSession = -12,
        /// There is no such node.
        NoNode = -101,
        /// Not permitted.
        NoAuth = -102,
        /// The version is another one.
        BadVersion = -103,
        /// Ephemerals have no children.
        NoChildrenForEphemerals = -108,
        /// There is such a node already.
        NodeExists = -110,
        /// The node has children.
        NotEmpty = -111,
        /// The session is over.
        SessionExpired = -112,
        /// The ACL cannot be.
        InvalidAcl = -114,
        /// The proof of identity failed.
        AuthFailed = -115,
        /// The session has moved to another server.
        SessionMoved = -118,
        /// The server is read-only.
        NotReadOnly = -119,
        /// No such watch.
        NoWatcher = -121,
    }
}
