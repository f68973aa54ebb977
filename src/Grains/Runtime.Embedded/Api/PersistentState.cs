using Orleans.Core;
using Orleans.Runtime;

namespace Orleans.Core
{
#pragma warning disable MA0040 // As in Orleans, a storage that knows nothing of cancellation has the overloads all the same.
    /// <summary>A stored value and its version.</summary>
    public interface IStorage
    {
        /// <summary>The version that was read or written last; null when nothing is stored.</summary>
        string? Etag { get; }

        /// <summary>Whether something is stored.</summary>
        bool RecordExists { get; }

        /// <summary>Replaces the value by what is stored, or by a new one when nothing is.</summary>
        Task ReadStateAsync();

        /// <inheritdoc cref="ReadStateAsync()"/>
        Task ReadStateAsync(CancellationToken cancellationToken) => ReadStateAsync();

        /// <summary>Stores the value, if what is stored is still the version that was read.</summary>
        /// <exception cref="Storage.InconsistentStateException">Somebody else wrote in between; nothing was stored.</exception>
        Task WriteStateAsync();

        /// <inheritdoc cref="WriteStateAsync()"/>
        Task WriteStateAsync(CancellationToken cancellationToken) => WriteStateAsync();

        /// <summary>Removes what is stored, if it is still the version that was read, and starts with a new value.</summary>
        /// <exception cref="Storage.InconsistentStateException">Somebody else wrote in between; nothing was removed.</exception>
        Task ClearStateAsync();

        /// <inheritdoc cref="ClearStateAsync()"/>
        Task ClearStateAsync(CancellationToken cancellationToken) => ClearStateAsync();
    }

#pragma warning restore MA0040

    /// <summary>A stored value of a type.</summary>
    public interface IStorage<TState> : IStorage
    {
        /// <summary>The value in memory; changes are not stored before <see cref="IStorage.WriteStateAsync()"/>.</summary>
        TState State { get; set; }
    }
}

namespace Orleans.Runtime
{
    /// <summary>State of a grain, read before OnActivateAsync.</summary>
    public interface IPersistentState<TState> : IStorage<TState>;

    /// <summary>Names the state that a constructor's parameter of type <see cref="IPersistentState{TState}"/> receives.</summary>
    [AttributeUsage(AttributeTargets.Parameter)]
    public class PersistentStateAttribute : Attribute
    {
        /// <summary>The state's name, unique in its grain class, and the store that holds it (null for the default store).</summary>
        public PersistentStateAttribute(string stateName, string? storageName = null)
        {
            StateName = stateName;
            StorageName = storageName;
        }

        /// <summary>The state's name.</summary>
        public string StateName { get; }

        /// <summary>The store's name, or null for the default store.</summary>
        public string? StorageName { get; }
    }
}

namespace Orleans.Storage
{
    /// <summary>A write met a newer version than the one that was read. The activation that let it escape is deactivated.</summary>
    [GenerateSerializer]
    public class InconsistentStateException : OrleansException
    {
        /// <summary>Without details.</summary>
        public InconsistentStateException()
        {
        }

        /// <summary>With a message only.</summary>
        public InconsistentStateException(string message)
            : base(message)
        {
        }

        /// <summary>With a message and the exception behind it.</summary>
        public InconsistentStateException(string message, Exception? innerException)
            : base(message, innerException!)
        {
        }

        /// <summary>With the version that is stored and the one that the writer had read.</summary>
        public InconsistentStateException(string errorMsg, string? storedEtag, string? currentEtag)
            : base(errorMsg)
        {
            StoredEtag = storedEtag;
            CurrentEtag = currentEtag;
        }

        /// <summary>The version that is stored.</summary>
        [Id(1)]
        public string? StoredEtag { get; private set; }

        /// <summary>The version that the writer had read.</summary>
        [Id(2)]
        public string? CurrentEtag { get; private set; }

        /// <summary>True until the activation that met the conflict was told to end, so that the exception ends no other one on its
        /// way.</summary>
        [Id(0)]
        internal bool IsSourceActivation { get; set; } = true;
    }
}
