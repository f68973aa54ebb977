namespace EmrMarket.Silos.Records.Mapping.Fhir;

/// <summary>The names that HL7 FHIR R4 (4.0.1) defines and that reading depends on, from its own definitions
/// (http://hl7.org/fhir/R4/downloads.html, CC0).</summary>
internal static class FhirTypes
{
    /// <summary>The concrete types of resources.</summary>
    public static IReadOnlySet<string> Resources { get; } = Words(
        """
        Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary
        BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry ChargeItem
        ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication CommunicationRequest
        CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage CoverageEligibilityRequest
        CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement
        DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter Endpoint EnrollmentRequest
        EnrollmentResponse EpisodeOfCare EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
        FamilyMemberHistory Flag Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingStudy Immunization
        ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List
        Location Measure MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
        MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization MedicinalProductContraindication
        MedicinalProductIndication MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured
        MedicinalProductPackaged MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition
        MessageHeader MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
        OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation Person
        PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse RelatedPerson
        RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment
        RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition
        StructureMap Subscription Substance SubstanceNucleicAcid SubstancePolymer SubstanceProtein SubstanceReferenceInformation
        SubstanceSourceMaterial SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport
        TestScript ValueSet VerificationResult VisionPrescription
        """);

    /// <summary>The elements with a choice of types: <c>value</c> stands in JSON as <c>valueQuantity</c>, <c>valueString</c> and so
    /// on.</summary>
    public static IReadOnlySet<string> Choices { get; } = Words(
        """
        abatement additive age allowed amount answer asNeeded author born bounds characteristic chargeItem code collected
        content created date deceased defaultValue definingSubstance definition detail diagnosis dose doseNumber due effective
        entity event example fastingStatus fixed identified indication item legallyBinding location manufacturer maxValue
        medication minValue minimumVolume module multipleBirth name occurred occurrence offset onset participantEffective
        pattern performed probability procedure product quantity rate reported scheduled seriesDoses serviced source start
        statusReason studyEffective subject substance target time timing topic used value when
        """);

    /// <summary>The types that a choice may have.</summary>
    public static IReadOnlySet<string> DataTypes { get; } = Words(
        """
        Address Age Annotation Attachment CodeableConcept Coding ContactDetail ContactPoint Contributor Count DataRequirement
        Distance Dosage Duration Expression HumanName Identifier Meta Money ParameterDefinition Period Quantity Range Ratio
        Reference RelatedArtifact SampledData Signature Timing TriggerDefinition UsageContext base64Binary boolean canonical
        code date dateTime decimal id instant integer markdown oid positiveInt string time unsignedInt uri url uuid
        """);

    private static HashSet<string> Words(string text) =>
        text.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).ToHashSet(StringComparer.Ordinal);
}
